/** The guides' code runs. A `ts` or `js` block that a `text` block follows prints that text; every other one is marked `fragment`. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { blocksOf, runBlock, typeFaults } from '../support/doc-blocks.js';

const FOLDER = 'docs/guides';
const guides = readdirSync(FOLDER).filter((name) => name.endsWith('.md') && name !== 'README.md');
const blocks = guides.flatMap((guide) =>
  blocksOf(`${FOLDER}/${guide}`)
    .filter(({ language }) => language === 'ts' || language === 'js')
    .map((block, i) => ({ ...block, title: `${guide}, block ${i + 1}` })),
);
const run = blocks.filter(({ words }) => !words.includes('fragment'));

for (const block of run) {
  test.serial(`${block.title} runs as it is printed`, async (t) => {
    t.truthy(block.prints, 'a text block with its output follows');
    t.deepEqual(await runBlock(block), { status: 0, printed: block.prints ?? '' });
  });
}

test('the TypeScript of the guides is right in its types', (t) => {
  t.deepEqual(typeFaults(run.filter(({ language }) => language === 'ts').map(({ code }) => code)), []);
});

test('the list of guides names every guide', (t) => {
  const listed = [...readFileSync(`${FOLDER}/README.md`, 'utf8').matchAll(/\[.+?\]\(([\w-]+\.md)\)/g)].map((match) => match[1] as string);
  t.deepEqual(listed.sort(), [...guides].sort());
});
