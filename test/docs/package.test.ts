/** issue 14, B15: what package.json and the lock file promise to whoever installs errand, or works on it, with the oldest Node that it supports. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import test from 'ava';

type Version = readonly [major: number, minor: number, patch: number];
interface Locked {
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
}
interface Manifest {
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Readonly<Record<string, Locked>> };

const COMPARATOR = /(\^|~|>=|<=|>|<)?\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/g;

function order(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** As npm reads the ranges that stand in `engines`: alternatives of comparators. */
function satisfies(version: Version, range: string): boolean {
  return range.split('||').some((alternative) =>
    [...alternative.matchAll(COMPARATOR)].every(([, operator = '', major, minor, patch]) => {
      const bound: Version = [Number(major), Number(minor ?? 0), Number(patch ?? 0)];
      const compared = order(version, bound);
      if (operator === '>=') return compared >= 0;
      if (operator === '<=') return compared <= 0;
      if (operator === '>') return compared > 0;
      if (operator === '<') return compared < 0;
      return version[0] === bound[0] && compared >= 0;
    }),
  );
}

const oldest = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node) ?? [];
const OLDEST: Version = [Number(oldest[1]), Number(oldest[2]), 0];

test('each package that npm installs runs on the oldest Node that errand supports', (t) => {
  t.true(OLDEST[0] >= 20);
  t.true(satisfies([20, 19, 0], '^18 || >=20.5.0') && !satisfies([20, 19, 0], '>=22') && !satisfies([20, 19, 0], '^18.1 || ^20.20.0'));
  const refused = Object.entries(packages).filter(([, { engines }]) => engines?.node !== undefined && !satisfies(OLDEST, engines.node));
  t.deepEqual(refused, []);
});

test('inversify is an optional peer, which nothing that errand depends on brings along', (t) => {
  t.deepEqual(manifest.peerDependenciesMeta['inversify'], { optional: true });
  t.is(manifest.peerDependencies['inversify'], '^7.0.0 || ^8.0.0');
  t.deepEqual(
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((name) => /reflect-metadata|lua-redis-wasm/.test(name)),
    [],
  );
});

test('the lock file names no address', (t) => {
  t.deepEqual(
    Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
});

test('errand and errand/testing run without inversify', async (t) => {
  const program = `
    import { Actor, ActorSystem, command } from 'errand';
    import { given, startTestSystem } from 'errand/testing';
    import { z } from 'zod';
    const Add = command('add', { to: 'sum', key: () => 'k', data: z.object({ n: z.number() }), result: z.number() });
    class Sum extends Actor { static actorType = 'sum'; static handlers = { add: Add }; add({ n }) { return n + 1; } }
    const { result } = await given(Sum, { key: 'k' }).when(Add, { n: 1 });
    const { system, stop } = await startTestSystem({ actors: [Sum] });
    await stop();
    console.log(result.value, typeof Reflect.getMetadata);`; // which inversify adds
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  t.is(stdout, '2 undefined\n');
});
