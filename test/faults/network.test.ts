/** A network between Redis and everybody else that cuts, delays, holds back and loses bytes. */
import { SOCKET_TIMEOUT_MS } from '../../src/message/limits.js';
import { type FaultWorld, faultTest } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';
import { type ProxiedConnection, TcpProxy } from '../support/tcp-proxy.js';

/** What a busy machine may add. */
const SLACK_MS = 4_000;

/** The workers behind one network, the client behind another. */
async function throughProxies(world: FaultWorld): Promise<{ ofWorkers: TcpProxy; ofClient: TcpProxy }> {
  const [ofWorkers, ofClient] = [await TcpProxy.start(world.server.port), await TcpProxy.start(world.server.port)];
  world.t.teardown(() => ofWorkers.stop());
  world.t.teardown(() => ofClient.stop());
  await Promise.all([world.startWorker(ofWorkers.url), world.startWorker(ofWorkers.url)]);
  await until('each worker has its share', 20_000, async () => {
    const owned = await Promise.all(world.workers.map((worker) => world.ownedBy(worker)));
    return owned.every(({ length }) => length > 0);
  });
  await world.startClient({ redis: ofClient.url });
  return { ofWorkers, ofClient };
}

faultTest('connections are cut in mid-pipeline, and replies are lost after the deed', 60_000, async (world) => {
  const { ofWorkers, ofClient } = await throughProxies(world);
  const state = { telling: true };
  const told = world.tell({ keys: 12, words: 60, during: 5_000 }).finally(() => {
    state.telling = false;
  });
  told.catch(() => undefined);
  const { settled } = world;
  await until('words are being settled', 20_000, () => world.settled > settled);
  const busy = (): ProxiedConnection[] => [
    ...ofWorkers.connections('control'),
    ...ofWorkers.connections('read'),
    ...ofClient.connections('append'),
    ...ofClient.connections('observe'),
  ];
  let faults = 0;
  for (; state.telling && faults < 30; faults += 1) {
    await until('there is a connection', 20_000, () => busy().length > 0);
    const connection = world.oneOf(busy());
    if (world.below(2) === 0) {
      connection.up.budget = 1 + world.below(3_000); // part of a request arrives, and no answer
    } else {
      connection.down.lost = true; // it is done, and nobody learns so
      await until(
        'an answer was lost, or none is awaited',
        20_000,
        () => connection.down.dropped > 0 || connection.closed || !state.telling,
      );
      connection.cut();
    }
    await pause(world.below(200));
  }
  await told;
  await world.check();
  world.t.log(`${faults} connections were cut`);
});

faultTest('half-open connections are found within the stated time', 60_000, async (world) => {
  const { t } = world;
  const { ofWorkers, ofClient } = await throughProxies(world);
  const telling = world.tell({ keys: 12, words: 40, during: 2_000 });
  telling.catch(() => undefined);
  const { settled } = world;
  await until('words are being settled', 20_000, () => world.settled > settled);
  // Those on which something is asked all the time; on the others nobody waits for anything.
  const dead = [
    ...ofWorkers.connections('control'),
    ...ofWorkers.connections('read'),
    ...ofClient.connections('append'),
    ...ofClient.connections('observe'),
  ];
  t.is(dead.length, 6);
  for (const connection of dead) connection.blackHole();
  const begun = performance.now();
  const found = new Map<ProxiedConnection, string>();
  await until('each is given up', 20_000, () => {
    for (const connection of dead) {
      if (connection.givenUp && !found.has(connection))
        found.set(connection, `${connection.purpose} ${Math.round(performance.now() - begun)}`);
    }
    return found.size === dead.length;
  }).catch((error: unknown) => {
    t.log(`found: ${[...found.values()].join(', ')}`);
    throw error;
  });
  t.log(`half-open connections were given up after ${[...found.values()].join(', ')} ms; the stated time is ${SOCKET_TIMEOUT_MS} ms`);
  t.true(performance.now() - begun < SOCKET_TIMEOUT_MS + SLACK_MS);
  for (const connection of dead) connection.cut();
  await telling;
  await world.check();
});

faultTest('commits that were held up in the network until another owner had taken over change nothing', 60_000, async (world) => {
  const { t } = world;
  const proxy = await TcpProxy.start(world.server.port);
  t.teardown(() => proxy.stop());
  const slow = await world.startWorker(proxy.url);
  await world.startClient();
  const telling = world.tell({ keys: 12, words: 60, during: 4_000 });
  telling.catch(() => undefined);
  await until('words are being settled', 20_000, () => world.settled > 50);
  const [control] = proxy.connections('control');
  t.truthy(control);
  if (control === undefined) return;
  const held = await world.ownedBy(slow);
  control.hold('up');
  await until('a commit is held up', 20_000, () => control.up.waiting.includes('list:state:'));
  await world.startWorker();
  await until('another worker owns what it held', 20_000, async () => {
    const owners = await world.owners();
    return held.every((shard) => owners[shard] !== slow.node);
  });
  const { settled } = world;
  await until('the new owner works', 20_000, () => world.settled > settled + 20);
  control.release();
  await telling;
  await world.check();
});

faultTest('every byte is late: all goes on, in order', 60_000, async (world) => {
  const proxy = await TcpProxy.start(world.server.port);
  world.t.teardown(() => proxy.stop());
  proxy.onConnection = (connection) => {
    connection.up.delay = world.below(40);
    connection.down.delay = world.below(40);
  };
  await world.startWorker(proxy.url);
  await world.startWorker(proxy.url);
  await world.startClient({ redis: proxy.url });
  await world.tell({ keys: 12, words: 15, during: 0 });
  await world.check();
});
