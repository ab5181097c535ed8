import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { asError, ConfigError } from '../message/errors.js';
import type { SystemConfig } from './config.js';

/** What the modules of a config export, in their order. */
export interface ImportedModules<ActorClass, Container> {
  readonly actors: readonly ActorClass[];
  /** each fills the container that the actors' dependencies come from */
  readonly binds: readonly ((container: Container) => unknown)[];
}

/**
 * Imports a config's modules and collects their actor classes and `bind` functions.
 * @param isActor tells an actor class from whatever else a module exports (messages, ports, base classes)
 * @throws ConfigError `CONFIG_MODULE` for a module that is not there, cannot be imported, or exports neither
 */
export async function importModules<ActorClass, Container>(
  config: Pick<SystemConfig, 'file' | 'modules'>,
  isActor: (value: unknown) => value is ActorClass,
): Promise<ImportedModules<ActorClass, Container>> {
  const actors = new Set<ActorClass>();
  const binds = new Set<(container: Container) => unknown>();
  for (const [index, address] of config.modules.entries()) {
    const path = `modules[${index}]`;
    const exported = await importOne(address, config.file, path);
    const values = Object.values(exported);
    const found = values.filter(isActor);
    for (const actor of found) actors.add(actor);
    if (typeof exported.bind === 'function') binds.add(exported.bind as (container: Container) => unknown);
    else if (found.length === 0) {
      const names = Object.keys(exported);
      const what = names.length === 0 ? 'a module without exports' : `a module that exports ${names.slice(0, 5).join(', ')}`;
      throw new ConfigError(
        'CONFIG_MODULE',
        config.file,
        path,
        `${what} (${address})`,
        'a module that exports actor classes or bind(container)',
      );
    }
  }
  return { actors: [...actors], binds: [...binds] };
}

async function importOne(address: string, file: string, path: string): Promise<Record<string, unknown>> {
  const local = address.startsWith('file:') && URL.canParse(address) ? localPath(new URL(address)) : undefined;
  if (local !== undefined && !existsSync(local)) {
    throw new ConfigError('CONFIG_MODULE', file, path, `no file at ${local}`, 'a module (is it built?)');
  }
  try {
    // The address is known at run time only: bundlers leave this import to Node.
    return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ address)) as Record<string, unknown>;
  } catch (thrown) {
    const error = asError(thrown);
    const reason = error.message.split('\n', 1)[0];
    throw new ConfigError(
      'CONFIG_MODULE',
      file,
      path,
      `${address}, which fails with ${error.name}: ${reason}`,
      'a module that can be imported',
      { cause: error },
    );
  }
}

/** Where a `file:` address points to; undefined for one that names another host, which import() refuses in its own words. */
function localPath(address: URL): string | undefined {
  return address.host === '' ? fileURLToPath(address) : undefined;
}
