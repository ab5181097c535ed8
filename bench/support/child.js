/** What each measuring program does alike: it is given one JSON argument and prints one JSON line. */

/** Runs `measure` with the program's argument, prints what it answers, and ends the process. */
export async function report(measure) {
  const answer = await measure(JSON.parse(process.argv[2] ?? '{}'));
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
}

/** @param client an ioredis client of the real Redis whose own CPU counts too; undefined where Redis runs in this process */
export async function timed(n, client, work) {
  globalThis.gc?.();
  const redisBefore = await redisCpu(client);
  const before = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  const redis = (await redisCpu(client)) - redisBefore;
  return {
    n,
    seconds,
    rate: n / seconds,
    /** µs of this process' CPU, and of Redis', for each */
    cpu: (user + system) / n,
    redisCpu: redis / n,
    rss: process.resourceUsage().maxRSS / 1024,
  };
}

async function redisCpu(client) {
  if (client === undefined) return 0;
  const text = await client.info('cpu');
  const of = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? 0);
  return (of('used_cpu_user') + of('used_cpu_sys')) * 1e6;
}

/** Sends n things in bursts, each awaited before the next. */
export async function inBursts(n, burst, send) {
  for (let at = 0; at < n; at += burst) {
    const sent = [];
    for (let i = at; i < Math.min(n, at + burst); i += 1) sent.push(send(i));
    await Promise.all(sent);
  }
}

/** The value that a share `p` of the sorted values lies below. */
export function percentile(values, p) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];
}
