import test from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { encode, RawConnection, type RawReply } from '../support/raw-redis.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';

/** What is done first, what two clients then wait with, one after the other, and what is done while they wait. */
type Scenario = readonly [before: readonly string[], waiting: readonly string[], then: readonly string[]];

// Waits are long enough for a slow machine where somebody is to be served, and short where nobody is.
const GROUP = ['XGROUP CREATE x g $ MKSTREAM'];
const GROUP_READ = ['XREADGROUP GROUP g c BLOCK 5000 STREAMS x >'];

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a stream is appended to': [[], ['XREAD BLOCK 5000 STREAMS x y 0 0'], ['XADD y 1-1 a b', 'XADD x 1-1 a b']],
  'nothing happens': [[], ['XREAD BLOCK 30 STREAMS x 0'], []],
  'a stream comes by RENAME': [['XADD z 5-1 a b'], ['XREAD BLOCK 5000 STREAMS x 1-1'], ['RENAME z x']],
  'a stream comes by COPY': [['XADD z 5-1 a b'], ['XREAD BLOCK 5000 STREAMS x 1-1'], ['COPY z x']],
  'a stream comes by MOVE': [['XADD x 5-1 a b'], ['SELECT 1', 'XREAD BLOCK 5000 STREAMS x 1-1'], ['MOVE x 1']],
  'a stream comes by SWAPDB': [['XADD x 5-1 a b'], ['SELECT 1', 'XREAD BLOCK 5000 STREAMS x 1-1'], ['SWAPDB 0 1']],
  'a stream comes and goes in one transaction': [[], ['XREAD BLOCK 1000 STREAMS x 0'], ['MULTI', 'XADD x 1-1 a b', 'DEL x', 'EXEC']],
  'a stream starts again below the id': [
    ['XADD x 1-1 a b'],
    ['XREAD BLOCK 1000 STREAMS x 1-1'],
    ['MULTI', 'DEL x', 'XADD x 0-5 a b', 'EXEC'],
  ],
  "a stream's last id is moved": [['XADD x 1-1 a b'], ['XREAD BLOCK 1000 STREAMS x $'], ['XSETID x 5-1']],
  'an empty stream is created': [[], ['XREAD BLOCK 5000 STREAMS x 0'], ['XGROUP CREATE x g 0 MKSTREAM', 'XADD x 1-1 a b']],
  'a group has something for each': [
    GROUP,
    ['XREADGROUP GROUP g c COUNT 1 BLOCK 5000 STREAMS x >'],
    ['MULTI', 'XADD x 1-1 a b', 'XADD x 1-2 a b', 'EXEC', 'XPENDING x g'],
  ],
  'the key of a group is deleted': [GROUP, GROUP_READ, ['DEL x']],
  'the key of a group is overwritten': [GROUP, GROUP_READ, ['SET x 1']],
  'the key of a group is renamed': [GROUP, GROUP_READ, ['RENAME x y']],
  'everything is flushed': [GROUP, GROUP_READ, ['FLUSHALL']],
  'the group is destroyed': [GROUP, GROUP_READ, ['XGROUP DESTROY x g']],
  'another stream with the group takes the place': [[...GROUP, 'XADD z 1-1 a b', 'XGROUP CREATE z g 0'], GROUP_READ, ['RENAME z x']],
  'a key of another type comes': [[], ['BLPOP l 0.5'], ['SET l 1']],
  'an item comes and goes in one transaction': [[], ['BLPOP l 0.5'], ['MULTI', 'LPUSH l a', 'LPOP l', 'EXEC']],
  'two lists come in one transaction': [[], ['BLPOP a b 1'], ['MULTI', 'LPUSH b 1', 'LPUSH a 2', 'EXEC']],
  'items are moved on': [[], ['BLMOVE a b LEFT RIGHT 1'], ['RPUSH a 1 2', 'LRANGE a 0 -1', 'LRANGE b 0 -1']],
  'the target of a move has another type': [['SET b x'], ['BLMOVE a b LEFT RIGHT 1'], ['RPUSH a 1 2', 'LRANGE a 0 -1']],
  'several items are popped': [[], ['BLMPOP 1 2 a b LEFT COUNT 2'], ['RPUSH b 1 2 3']],
  'members come': [[], ['BZPOPMIN z 1'], ['ZADD z 1 a 2 b']],
  'several members are popped': [[], ['BZMPOP 1 1 z MAX COUNT 2'], ['ZADD z 1 a 2 b 3 c']],
  'a member comes and goes': [[], ['BZPOPMIN z 0.5'], ['MULTI', 'ZADD z 1 a', 'ZREM z a', 'SET z 1', 'EXEC']],
  'a set is stored': [['SADD s 1'], ['BZPOPMIN z 1'], ['ZUNIONSTORE z 1 s']],
  'a script pushes': [[], ['BLPOP l 1'], ['EVAL redis.call("RPUSH","l","1","2") 0']],
};

/** A line as words; a script may hold spaces. */
function words(line: string): string[] {
  const script = /^EVAL (.*) 0$/.exec(line);
  return script === null ? line.split(' ') : ['EVAL', script[1] as string, '0'];
}

async function play(port: number, [before, waiting, then]: Scenario): Promise<readonly RawReply[][]> {
  const connections = await Promise.all([0, 1, 2].map(() => RawConnection.open(port)));
  const [first, second, actor] = connections as [RawConnection, RawConnection, RawConnection];
  const say = (connection: RawConnection, lines: readonly string[], mark: string): Promise<RawReply[]> =>
    connection.exchange(Buffer.concat([...lines.map((line) => encode(words(line))), encode(['ECHO', mark])]), mark);
  await say(actor, ['FLUSHALL', ...before], 'before');
  const replies: Promise<RawReply[]>[] = [];
  for (const [index, connection] of [first, second].entries()) {
    const state = { answered: false };
    replies.push(say(connection, waiting, `waiting ${index}`).finally(() => (state.answered = true)));
    // It waits before the next one comes; where its wait is a short one, it may be over already.
    for (let blocked = 0; blocked <= index && !state.answered; )
      blocked = String(await say(actor, ['CLIENT LIST'], 'list')).split('flags=b').length - 1;
  }
  const all = [await say(actor, then, 'then'), ...(await Promise.all(replies))];
  for (const connection of connections) connection.close();
  return all;
}

if (redisServerOnPath()) {
  test('whoever waits is served as by a real Redis', async (t) => {
    const real = await startRedisServer({ args: ['--hz', '500'] });
    const redis = createMemoryRedis();
    const { port } = await redis.listen(0);
    try {
      await redis.client().eval('return 1', 0); // the script engine is loaded with the first script
      for (const [name, scenario] of Object.entries(SCENARIOS)) {
        const [ours, theirs] = await Promise.all([play(port, scenario), play(real.port, scenario)]);
        t.deepEqual(ours, theirs, name);
      }
    } finally {
      await redis.close();
      await real.stop();
    }
  });
}

test('the longest waiting is served first, and CLIENT UNBLOCK ends a wait', async (t) => {
  const redis = createMemoryRedis();
  const waiting = [redis.client(), redis.client(), redis.client()];
  const actor = redis.client();
  const served: number[] = [];
  const replies: Promise<unknown>[] = [];
  for (const [index, client] of waiting.entries()) {
    await client.ping();
    replies.push(client.blpop('a', 0).then(() => served.push(index)));
    await actor.ping();
  }
  await actor.rpush('a', '1', '2');
  await Promise.all(replies.slice(0, 2));
  t.deepEqual(served, [0, 1]);
  const blocked = /id=(\d+) [^\n]*flags=b/.exec(String(await actor.client('LIST')))?.[1] ?? '0';
  t.is(await actor.client('UNBLOCK', blocked, 'TIMEOUT'), 1);
  await replies[2];
  t.deepEqual(served, [0, 1, 2]);
  await redis.close();
});
