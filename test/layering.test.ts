import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { brokenRules, type Tree } from './support/house.js';

/** All sources under some folders of the project, which is where ava runs. */
function project(...folders: string[]): Tree {
  const files = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
    )
    .filter((path) => /\.[cm]?tsx?$/.test(path));
  return new Map(files.map((path) => [path, readFileSync(path, 'utf8')]));
}

test('imports go down only, each vendor has one door, nothing goes round in circles', (t) => {
  const tree = project('src', 'actors');
  t.true(tree.size > 10, 'the sources were found');
  t.deepEqual(brokenRules(tree), []);
});

const breaks = test.macro((t: ExecutionContext, files: Record<string, string>, expected: readonly RegExp[]) => {
  const broken = brokenRules(new Map(Object.entries(files)));
  t.is(broken.length, expected.length, broken.join('\n'));
  for (const [index, pattern] of expected.entries()) t.regex(broken[index] ?? '', pattern);
});

test(
  'an import upward is found, also of a type',
  breaks,
  {
    'src/message/a.ts': "// why\nimport type { B } from '../log/b.js';",
    'src/log/b.ts': "export * from '../runtime/c.js';",
    'src/runtime/c.ts': "const d = await import('../api/d.js');",
    'src/api/d.ts': "import '../message/a.js';",
  },
  [/^src\/message\/a\.ts:2: imports src\/log\/b\.ts, which is above it/, /^src\/log\/b\.ts:1/, /^src\/runtime\/c\.ts:1/],
);

test(
  'an import of a folder on the same floor is found',
  breaks,
  { 'src/cli/a.ts': "import '../dashboard/b.js';", 'src/dashboard/b.ts': '' },
  [/beside it/],
);

test(
  'a comment and a text are no imports',
  breaks,
  {
    'src/message/a.ts': "// import '../log/b.js'\n/* import ioredis from 'ioredis' */\nexport const text = \"import 'zod'; Date.now()\";",
  },
  [],
);

test(
  'a vendor is loaded at its door only',
  breaks,
  {
    'src/log/store.ts': "import { Redis } from 'ioredis';",
    'src/log/reader.ts':
      "import { type RedisOptions } from 'ioredis';\nimport type { Redis } from 'ioredis';\ntype R = import('ioredis').Redis;",
    'src/api/config-schema.ts': "import { z } from 'zod/v4';",
    'src/api/other.ts': "export { z } from 'zod';",
    'src/cli/start.ts': "import pino from 'pino'; import { Command } from 'commander';",
  },
  [/^src\/log\/reader\.ts:1: loads ioredis, whose door is src\/log\/store\.ts/, /^src\/api\/other\.ts:1: loads zod/],
);

test('a vendor nobody named has no door', breaks, { 'src/log/a.ts': "import type { X } from '@scope/thing/deep';" }, [
  /@scope\/thing has no door/,
]);

test(
  'the in-process Redis is known to few and knows messages only',
  breaks,
  {
    'src/memory-redis/index.ts': "import './engine.js';",
    'src/memory-redis/engine.ts': "import '../message/clock.js'; import '../log/keys.js';",
    'src/message/clock.ts': '',
    'src/log/keys.ts': '',
    'src/log/store.ts': "import '../memory-redis/index.js';",
    'src/log/shard.ts': "import '../memory-redis/index.js';",
    'src/api/actor-system.ts': "import type { MemoryRedis } from '../memory-redis/index.js';",
    'src/cli/start.ts': "import '../memory-redis/index.js';",
    'src/cli/other.ts': "import '../memory-redis/engine.js';",
  },
  [/^src\/memory-redis\/engine\.ts:1: memory-redis imports src\/log\/keys\.ts/, /^src\/log\/shard\.ts/, /^src\/cli\/other\.ts/],
);

test(
  'a cycle is found once, whoever is asked first; types and later imports close none',
  breaks,
  {
    'src/log/c.ts': "import './a.js';",
    'src/log/b.ts': "import './c.js';",
    'src/log/a.ts': "import './b.js';",
    'src/log/d.ts': "import type { E } from './e.js';",
    'src/log/e.ts': "import './d.js';",
    'src/log/f.ts': "const g = await import('./g.js');",
    'src/log/g.ts': "import './f.js';",
  },
  [/^cycle: src\/log\/a\.ts → src\/log\/b\.ts → src\/log\/c\.ts → src\/log\/a\.ts$/],
);

test(
  "the machine's clock, timers and chance are reached through the ports",
  breaks,
  {
    'src/log/a.ts': 'const x = Date.now();\nsetTimeout(() => {}, 1);\nconst y = new Date();\nconst ok = new Date(5);',
    'src/runtime/b.ts':
      "import { randomBytes, createHash } from 'node:crypto';\nglobalThis.setInterval(run, 5);\nconst later = clock.setTimeout;",
    'src/api/c.ts':
      "import { setTimeout } from 'node:timers/promises';\nconst r = Math.random();\nconst id = globalThis.crypto.randomUUID();",
    'src/message/clock.ts': 'export const now = () => Date.now();',
  },
  [
    /^src\/log\/a\.ts:1: uses Date\.now/,
    /^src\/log\/a\.ts:2: uses setTimeout/,
    /^src\/log\/a\.ts:3: uses new Date\(\)/,
    /^src\/runtime\/b\.ts:1: uses randomBytes/,
    /^src\/runtime\/b\.ts:2: uses setInterval/,
    /^src\/api\/c\.ts:1: uses node:timers\/promises/,
    /^src\/api\/c\.ts:2: uses Math\.random/,
    /^src\/api\/c\.ts:3: uses crypto\.randomUUID/,
  ],
);

// issue 14, B14
test(
  'a method that Node does not document is found, however it is reached',
  breaks,
  {
    'src/memory-redis/a.ts':
      "const { latin1Slice } = Buffer.prototype;\nbytes.utf8Write('x', 0, 1);\nbytes['hexSlice'](0, 1);\nbytes.write('x');",
  },
  [/a\.ts:1: uses latin1Slice, which Node does not document/, /a\.ts:2: uses utf8Write/, /a\.ts:3: uses hexSlice/],
);

test(
  'the example uses public doors only',
  breaks,
  {
    'actors/a.ts':
      "import { actor } from 'errand';\nimport { given } from 'errand/testing';\nimport './b.js';\nimport { inject } from 'inversify';\nimport 'node:fs';",
    'actors/b.ts': "import '../src/index.js';\nimport { Redis } from 'ioredis';",
  },
  [/^actors\/b\.ts:1: the example imports \.\.\/src\/index\.js/, /^actors\/b\.ts:2: the example imports ioredis/],
);

test('a file outside the house is noticed', breaks, { 'src/helpers/a.ts': '' }, [/stands on no floor/]);
