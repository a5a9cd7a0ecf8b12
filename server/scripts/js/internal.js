// Trigger 3/1: after a login with a password or a second factor.

const contextOf = () => ({
  v1: { authMethod: part("authMethod"), authError: part("authError"), ...requestsOf() },
});

const apiOf = () => {
  const api = {};
  addMetadata(api);
  return api;
};
