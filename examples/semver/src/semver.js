// The interface `ranges` over npm's own `semver`. An exported object is an interface,
// a returned value the `ok` of a result, a thrown string its `err`.

import compare from "semver/functions/compare";
import parse from "semver/functions/parse";
import Range from "semver/classes/range";

export const ranges = {
  parse(text) {
    const { major, minor, patch, prerelease, build } = readVersion(text);
    return { major, minor, patch, prerelease: prerelease.map(String), build: [...build] };
  },

  compareVersions(first, second) {
    const order = compare(readVersion(first), readVersion(second));
    return order < 0 ? "less" : order > 0 ? "greater" : "equal";
  },

  satisfies(version, range) {
    return readRange(range).test(readVersion(version));
  },

  maxSatisfying(versions, range) {
    const wanted = readRange(range);
    const found = versions.map(readVersion).filter((version) => wanted.test(version));
    return found.length === 0 ? undefined : found.reduce((a, b) => (compare(b, a) > 0 ? b : a)).raw;
  },

  sort(versions) {
    return versions.map(readVersion).sort(compare).map((version) => version.raw);
  },
};

function readVersion(text) {
  const version = parse(text);
  if (version === null) throw `not a version: ${JSON.stringify(text)}`;
  return version;
}

function readRange(text) {
  try {
    return new Range(text);
  } catch {
    throw `not a range: ${JSON.stringify(text)}`;
  }
}
