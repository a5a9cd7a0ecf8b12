// Makes the parts of `ctx` that many triggers have, from the JSON of the host.
//
// The host has checked the JSON: every key is present, in the order in which scripts see it. Each part
// is a text that is parsed on each access, so two reads give two objects.
// Rule: objects that are typed in ZITADEL take no new keys; maps and claims do.

own.part = (name) => own.parse(own.setup.context[name]);

// Objects of the context; encoded into a claim they have their names in Go.
own.typed = new WeakSet();
own.typedSeal = (object) => {
  own.apply(own.setAdd, own.typed, [object]);
  return own.seal(object);
};

const metadataReader = (name) => () => own.load("metadata")(own.part(name), name);
