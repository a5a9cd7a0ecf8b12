// Makes the parts of `ctx` and `api` that triggers of logins and of creations have.

const fromRequests = (v1, name) => later(v1, name, () => own.load("requests")[name](), true);

const addRequests = (v1) => {
  fromRequests(v1, "authRequest");
  fromRequests(v1, "httpRequest");
};

const addMetadata = (api) => {
  later(api, "metadata", () => own.load("entries").metadata, true);
  api.v1 = {
    user: {
      appendMetadata: (...values) => own.load("entries").append(values),
      appendMetadataRaw: (...values) => own.load("entries").appendRaw(values),
    },
  };
};
