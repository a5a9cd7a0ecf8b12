// Triggers 1/3 and 3/3: after a user is created.

own.contextOf = () => {
  const v1 = { getUser };
  addRequests(v1);
  v1.org = { getMetadata: metadataReader("orgMetadata") };
  return { v1 };
};

own.apiOf = () => {
  const api = {};
  later(api, "userGrants", () => own.load("grantlist").userGrants, true);
  api.v1 = { appendUserGrant: (...values) => own.load("grantlist").append(values) };
  return api;
};
