// Makes the parts of `ctx` and `api` about a user's grants and metadata, in flows 2 and 4.

const userDataOf = (getMetadata) => {
  const data = { getMetadata };
  later(data, "grants", () => own.load("grants")(), true);
  return data;
};

const setMetadata = (...values) => own.load("written").set(values);
