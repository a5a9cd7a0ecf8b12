// Triggers 1/2 and 3/2: before a user is created.

own.contextOf = () => {
  const v1 = {};
  later(v1, "user", getUser, true);
  addRequests(v1);
  v1.org = { getMetadata: metadataReader("orgMetadata") };
  return { v1 };
};

const integer = (value) => {
  const number = typeof value === "number" || typeof value === "boolean" ? own.Number_(value) : 0;
  return own.isFinite(number) ? own.trunc(number) : 0;
};

own.apiOf = () => {
  const api = {};
  addSetters(api);
  api.setUsername = setter("username", own.text);
  api.setGender = setter("gender", integer);
  addMetadata(api);
  return api;
};
