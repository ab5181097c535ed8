/** docs/OPTIONS.md is what the code says, and the code says something about each option. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { INTERFACE_OPTIONS, optionRows, optionsPage } from '../support/options-page.js';

test('the page of options is what the code says', (t) => {
  t.is(readFileSync('docs/OPTIONS.md', 'utf8'), optionsPage(), 'run: npm run build && node scripts/options-page.js');
});

for (const [title, file, name] of INTERFACE_OPTIONS) {
  test(`each option of ${name} has a meaning and a default`, (t) => {
    const rows = optionRows(file, name);
    t.true(rows.length > 0, title);
    for (const { option, standard, meaning } of rows) {
      t.not(meaning, '', `${name}.${option} has a docstring`);
      t.not(standard, '', `${name}.${option} says @default`);
    }
  });
}
