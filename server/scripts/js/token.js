// Triggers 2/4 and 2/5: before userinfo and access tokens.

own.contextOf = () => {
  const v1 = {};
  later(v1, "claims", own.part, true);
  v1.getUser = getUser;
  v1.user = userDataOf(metadataReader("userMetadata"));
  v1.org = { getMetadata: metadataReader("orgMetadata") };
  v1.application = { getClientId: () => own.part("application").clientId };
  later(v1, "actor", own.part, true);
  return { v1 };
};

const claimsApi = () => ({
  setClaim: (key, value) => {
    own.effect(`{"op":"claim","key":${own.bounded(own.text(key))},"value":${own.encoderOf(value)(value)}}`);
  },
  appendLogIntoClaims: (entry) => own.effect(`{"op":"claim_log","entry":${own.bounded(own.text(entry))}}`),
});

own.apiOf = () => ({ v1: { userinfo: claimsApi(), claims: claimsApi(), user: { setMetadata } } });
