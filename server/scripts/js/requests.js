// Makes the parts of `ctx` about a login: its request, the HTTP request, the external user.

const externalUserOf = (data) => {
  typedSeal(data.human);
  return typedSeal(data);
};

const authRequestOf = (data) => {
  if (data === null) return null;
  if (data.browserInfo !== null) typedSeal(data.browserInfo);
  each(data.linkingUsers, externalUserOf);
  typedSeal(data.request.oidc);
  typedSeal(data.request);
  return typedSeal(withTimes(data, "creationDate", "changeDate", "authTime"));
};

const requestsOf = () => ({
  authRequest: authRequestOf(part("authRequest")),
  httpRequest: typedSeal(part("httpRequest")),
});
