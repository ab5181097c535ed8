/** A fresh process: how long `errand` takes to import, and from `start` until the first command is handled. */
const began = performance.now();
const { ActorSystem } = await import('../../dist/src/index.js');
const imported = performance.now() - began;

const { counters } = await import('../support/counter.js');
const { report } = await import('../support/child.js');

await report(async ({ redis }) => {
  const { Add, Counter } = counters.counter;
  let handled;
  class Noting extends Counter {
    add(data) {
      handled ??= performance.now();
      return super.add(data);
    }
  }
  const starting = performance.now();
  const system = await ActorSystem.start({ name: `start-${process.pid}`, redis, actors: [Noting] });
  const { total } = await system.ask(Add, { key: 'first', amount: 1 });
  const faults = total === 1 ? [] : [`the first command answered ${total}, expected 1`];
  await system.stop();
  return { imported, first: handled - starting, faults };
});
