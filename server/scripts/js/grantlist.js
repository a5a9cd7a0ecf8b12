// Makes `api.userGrants`, the list of grants of a user that was created.

const {
  load, setup, bounded, textList, freeze, isArray, push, kindOf, objectOf, refusal, String_, TypeError_,
} = names;

const grantEntry = (given) => {
  const object = objectOf(given, "userGrants");
  const projectID = object.projectID ?? object.projectId ?? "";
  const projectGrantID = object.projectGrantID ?? object.projectGrantId ?? "";
  const roles = object.roles ?? [];
  if (typeof projectID !== "string" || typeof projectGrantID !== "string") {
    throw new TypeError_("userGrants: expected projectID and projectGrantID as strings");
  }
  if (projectID === "") throw refusal("projectID not set");
  if (!isArray(roles)) throw new TypeError_(`userGrants: expected roles as an array, got ${kindOf(roles)}`);
  const names = [];
  for (let index = 0; index < roles.length; index++) {
    if (typeof roles[index] !== "string") {
      throw new TypeError_(`userGrants: expected roles of strings, got ${kindOf(roles[index])}`);
    }
    push(names, roles[index]);
  }
  return {
    json: `"project_id":${bounded(projectID)},"project_grant_id":${bounded(projectGrantID)},` +
      `"roles":${textList(names)}`,
    value: freeze({ projectID, projectGrantID, roles: freeze(names) }),
  };
};

const stringOf = (value) => (value === undefined ? "" : String_(value));

const grantArgument = (given) => {
  const object = objectOf(given, "user grant");
  const roles = [];
  if (isArray(object.roles)) {
    for (let index = 0; index < object.roles.length; index++) {
      if (typeof object.roles[index] === "string") push(roles, object.roles[index]);
    }
  }
  const projectID = stringOf(object.projectId ?? object.projectID);
  if (projectID === "") throw refusal("projectId not set");
  return { projectID, projectGrantID: stringOf(object.projectGrantId ?? object.projectGrantID), roles };
};

const userGrants = load("lists")("userGrants", "grant", setup.grants, grantEntry);

const append = (values) => {
  if (values.length !== 1) throw refusal("exactly one argument expected");
  userGrants[userGrants.length] = grantArgument(values[0]);
};

return { userGrants, append };
