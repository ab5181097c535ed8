/** The README's own code blocks are pasted, compiled where they are TypeScript, run, and print what the README says. */
import test, { type ExecutionContext } from 'ava';
import { blocksOf, runBlock, typeFaults } from '../support/doc-blocks.js';

const blocks = blocksOf('README.md');
const scripts = blocks.filter(({ language }) => language === 'js');
const typed = blocks.filter(({ language }) => language === 'ts');

const prints = test.macro(async (t: ExecutionContext, block: (typeof blocks)[number] | undefined, printed: string) => {
  t.deepEqual(await runBlock(block ?? { language: 'js', code: '' }), { status: 0, printed });
});

test('the first actor runs as it is printed', prints, scripts[0], '{ balance: 750 }');
test('the TypeScript example runs as it is printed', prints, typed[0], '12005 completed click-1');
test('the example under virtual time runs as it is printed', prints, typed[1], 'undefined\n{ sent: 1 }');
test('the example of redriving and cancelling runs as it is printed', prints, typed[2], '12005 3 the line is dead\non its way\ncancelled');

test('the TypeScript examples are right in their types', (t) => {
  t.deepEqual(typeFaults(typed.map(({ code }) => code)), []);
});
