/** A string as a template literal: its lines stay lines, so that scripts/mutants.js can change a Lua script that stands in a module. */
export const literal = (text) => `\`${inLiteral(text)}\``;

/** A part of a string as it stands within such a literal. */
export const inLiteral = (text) => text.replaceAll('\r', '\\r').replace(/[\\`]|\$(?=\{)/g, (found) => `\\${found}`);
