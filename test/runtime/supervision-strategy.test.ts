/** The strategy as a pure function: tables for the back-off, properties for the rest. test/conformance holds it against OTP. */
import test from 'ava';
import * as fc from 'fast-check';
import {
  backoff,
  type Child,
  type Decision,
  decide,
  NO_STATISTICS,
  type Statistics,
  type Tree,
} from '../../src/runtime/supervision-strategy.js';

const settings = { min: 100, max: 10_000, factor: 2, jitter: 0 };

test('waits grow by the factor up to the longest', (t) => {
  t.deepEqual(
    [1, 2, 3, 7, 8, 1_000].map((row) => backoff(settings, row, 0)),
    [100, 200, 400, 6_400, 10_000, 10_000],
  );
  t.is(backoff({ ...settings, min: 0 }, 1_000, 0), 0);
  t.is(backoff({ ...settings, factor: 1 }, 9, 0), 100);
});

test('jitter makes a wait longer or shorter by up to its share', (t) => {
  t.deepEqual(
    [0, 0.5, 1].map((chance) => backoff({ ...settings, jitter: 0.2 }, 1, chance)),
    [80, 100, 120],
  );
});

test('waits begin anew once a whole period was quiet after the last restart', (t) => {
  const tree: Tree = {
    name: 's',
    strategy: 'one-for-one',
    intensity: 100,
    period: 1_000,
    backoff: settings,
    children: [{ actor: 'a', restart: 'permanent' }],
    supervisors: [],
  };
  let statistics = NO_STATISTICS;
  const waits = [0, 500, 1_000, 2_400, 4_201].map((at) => {
    const decision = decide([tree], statistics, { actor: 'a', chance: 0.5 }, at);
    statistics = decision.statistics;
    return decision.delay;
  });
  t.deepEqual(waits, [100, 200, 400, 800, 100]);
});

test('an actor that hangs in no tree, or is gone, asks for nothing', (t) => {
  t.like(decide([], NO_STATISTICS, { actor: 'a', chance: 0 }, 0), { steps: [], stops: [], stopsNode: false });
});

// ---- properties ----------------------------------------------------------------------------------------------------------------------

/** Trees of up to three levels; names and actors are numbered as they come, so that each is there once. */
const shape = fc.letrec<{ tree: Shape }>((tie) => ({
  tree: fc.record({
    strategy: fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const),
    intensity: fc.integer({ min: 0, max: 3 }),
    period: fc.integer({ min: 1, max: 50 }),
    children: fc.array(fc.constantFrom('permanent' as const, 'permanent' as const, 'temporary' as const), { maxLength: 3 }),
    supervisors: fc.oneof({ maxDepth: 2 }, fc.constant<Shape[]>([]), fc.array(tie('tree'), { maxLength: 2 })),
  }),
})).tree;

interface Shape {
  strategy: Tree['strategy'];
  intensity: number;
  period: number;
  children: Child['restart'][];
  supervisors: Shape[];
}

function numbered(shapes: readonly Shape[]): Tree[] {
  let names = 0;
  let actors = 0;
  const tree = ({ children, supervisors, ...rest }: Shape): Tree => ({
    ...rest,
    name: `s${(names += 1)}`,
    backoff: { min: 0, max: 0, factor: 1, jitter: 0 },
    children: children.map((restart) => ({ actor: `a${(actors += 1)}`, restart })),
    supervisors: supervisors.map(tree),
  });
  return shapes.map(tree);
}

const flat = (trees: readonly Tree[]): Tree[] => trees.flatMap((tree) => [tree, ...flat(tree.supervisors)]);
const actorsBelow = (tree: Tree): string[] => [...tree.children.map(({ actor }) => actor), ...tree.supervisors.flatMap(actorsBelow)];

const scenario = fc.record({
  trees: fc.array(shape, { minLength: 1, maxLength: 3 }).map(numbered),
  failures: fc.array(fc.record({ pick: fc.nat(), wait: fc.integer({ min: 0, max: 20 }) }), { maxLength: 60 }),
});

interface Told {
  readonly decision: Decision;
  readonly actor: string;
  readonly now: number;
  readonly before: Statistics;
}

/** Fails actors that are still there until the node stops. */
function play(trees: readonly Tree[], failures: readonly { pick: number; wait: number }[]): Told[] {
  const told: Told[] = [];
  let statistics: Statistics = NO_STATISTICS;
  let now = 0;
  for (const { pick, wait } of failures) {
    now += wait;
    const alive = trees.flatMap(actorsBelow).filter((actor) => !statistics.gone.has(actor));
    const actor = alive[pick % Math.max(1, alive.length)];
    if (actor === undefined) break;
    const decision = decide(trees, statistics, { actor, chance: 0.5 }, now);
    told.push({ decision, actor, now, before: statistics });
    if (decision.stopsNode) break;
    statistics = decision.statistics;
  }
  return told;
}

test('property: within one life of a supervisor no window of its period sees more restarts than its intensity', (t) => {
  fc.assert(
    fc.property(scenario, ({ trees, failures }) => {
      const restarts = new Map<string, number[]>();
      for (const { decision, now } of play(trees, failures)) {
        for (const { supervisor, kind } of decision.steps) {
          if (kind === 'restarts') restarts.set(supervisor, [...(restarts.get(supervisor) ?? []), now]);
        }
        // What was terminated lives anew.
        for (const tree of flat(trees)) if (!decision.statistics.windows.has(tree.name)) restarts.delete(tree.name);
        for (const { name, intensity, period } of flat(trees)) {
          const seen = (restarts.get(name) ?? []).filter((at) => at >= now - period);
          if (seen.length > intensity) return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});

test('property: rest-for-one touches the failed member and exactly the later ones', (t) => {
  fc.assert(
    fc.property(scenario, ({ trees, failures }) => {
      for (const { decision, actor, before } of play(trees, failures)) {
        const by = flat(trees).find(({ name }) => name === decision.steps.at(-1)?.supervisor);
        if (by?.strategy !== 'rest-for-one' || decision.stopsNode) continue;
        const members = [...by.children.map((child) => [child.actor]), ...by.supervisors.map(actorsBelow)];
        const at = members.findIndex((below) => below.includes(actor));
        const expected = members
          .slice(at)
          .flat()
          .filter((one) => !before.gone.has(one));
        if (decision.stops.toReversed().join() !== expected.join()) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('property: an escalation climbs one level at a time, and only past those that fail', (t) => {
  fc.assert(
    fc.property(scenario, ({ trees, failures }) => {
      const parents = new Map(flat(trees).flatMap((tree) => tree.supervisors.map((below) => [below.name, tree.name] as const)));
      for (const { decision, actor } of play(trees, failures)) {
        const { steps, stopsNode } = decision;
        const first = flat(trees).find(({ children }) => children.some((child) => child.actor === actor));
        if (steps.length > 0 && steps[0]?.supervisor !== first?.name) return false;
        for (const [i, step] of steps.entries()) {
          const last = i === steps.length - 1;
          if (step.kind === 'restarts' && !last) return false;
          if (last && (step.kind === 'fails') !== stopsNode) return false;
          if (!last && parents.get(step.supervisor) !== steps[i + 1]?.supervisor) return false;
        }
        if (stopsNode && parents.has(steps.at(-1)?.supervisor ?? '')) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('property: who comes back was stopped, is permanent, and comes back in start order; who is temporary is stopped once', (t) => {
  fc.assert(
    fc.property(scenario, ({ trees, failures }) => {
      const order = trees.flatMap(actorsBelow);
      const temporary = new Set(
        flat(trees).flatMap(({ children }) => children.filter((c) => c.restart === 'temporary').map((c) => c.actor)),
      );
      const ended = new Set<string>();
      for (const { decision } of play(trees, failures)) {
        const { stops, starts } = decision;
        if (starts.some((actor) => temporary.has(actor) || !stops.includes(actor))) return false;
        if (starts.join() !== order.filter((actor) => starts.includes(actor)).join()) return false;
        for (const actor of stops) {
          if (ended.has(actor)) return false;
          if (temporary.has(actor)) ended.add(actor);
        }
      }
      return true;
    }),
  );
  t.pass();
});
