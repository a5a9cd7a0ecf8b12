// Makes the parts of `ctx` about a login: its request, the HTTP request, the external user.

const { each, part, typedSeal, withTimes } = names;

const externalUserOf = (data) => {
  typedSeal(data.human);
  return typedSeal(data);
};

const authRequest = () => {
  const data = part("authRequest");
  if (data === null) return null;
  if (data.browserInfo !== null) typedSeal(data.browserInfo);
  each(data.linkingUsers, externalUserOf);
  typedSeal(data.request.oidc);
  typedSeal(data.request);
  return typedSeal(withTimes(data, "creationDate", "changeDate", "authTime"));
};

return {
  authRequest,
  httpRequest: () => typedSeal(part("httpRequest")),
  externalUser: () => externalUserOf(part("externalUser")),
};
