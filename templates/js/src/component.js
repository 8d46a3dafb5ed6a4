// The world of `wit/world.wit` in JavaScript: each exported function in camel case.

export function countWords(text) {
  return text.split(/[ \t\n\v\f\r]+/).filter((word) => word !== "").length;
}
