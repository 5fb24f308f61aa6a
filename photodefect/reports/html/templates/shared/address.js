// What a person chose stands in the address of the page, so that a view can be bookmarked and sent.

// The values of fields in a query, and their defaults where it says nothing.
export function readFields(query, defaults) {
  const wanted = new URLSearchParams(query);
  return Object.fromEntries(Object.entries(defaults).map(([field, value]) => [field, wanted.get(field) ?? value]));
}

// The query of what differs from the defaults.
export function writeFields(values, defaults) {
  const wanted = new URLSearchParams();
  for (const [field, value] of Object.entries(defaults)) if (values[field] !== value) wanted.set(field, values[field]);
  return wanted.toString();
}
