/**
 * Runs seeds until one fails, and says in one line of JSON which and what caught it: what `scripts/mutants.js` runs on code with one
 * protection taken out. Usage: node dist/test/simulation/hunt.js <most seeds>
 */
import { numbers, simulate } from './report.js';

const most = Number(process.argv[2] ?? 1_000);
const { seeds, failed } = await simulate(numbers(1, most));
console.log(JSON.stringify({ seeds, seed: failed?.seed, ...failed?.violation, faults: failed?.faults }));
process.exit(failed === undefined ? 0 : 1);
