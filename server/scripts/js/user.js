// Makes the user of the context, in triggers that have one.

const getUser = () => {
  const data = own.part("user");
  const kind = data.human ?? data.machine;
  if (kind !== undefined) own.typedSeal(kind);
  return own.typedSeal(data.creationDate === undefined ? data : own.withTimes(data, "creationDate", "changeDate"));
};
