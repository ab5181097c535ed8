/**
 * A stack that may be kept: class and frames only. The message is kept elsewhere and may quote what a function was given; a path says where
 * a machine keeps its files.
 */
export function redactedStack(name: string, stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return [
    name,
    ...frames.map((frame) => frame.replace(LOCATION, (_match, before: string, path: string) => `${before}${shortened(path)}`)),
  ].join('\n');
}

/** An absolute path, as a file address or plain, at the beginning of a place in a frame. */
const LOCATION = /(\(|\s)((?:file:\/\/)?(?:[A-Za-z]:)?[\\/][^()]*)/g;

/** A package's file from `node_modules` on; any other one with the folder it lies in. */
function shortened(path: string): string {
  const inPackage = path.lastIndexOf('node_modules');
  return inPackage >= 0 ? path.slice(inPackage) : path.split(/[\\/]/).slice(-2).join('/');
}
