/** The files that the page on architecture and the page for contributors name exist. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';

for (const page of ['docs/ARCHITECTURE.md', 'CONTRIBUTING.md']) {
  test(`every file that ${page} names exists`, (t) => {
    const named = [...readFileSync(page, 'utf8').matchAll(/`((?:src|test|scripts|docs)\/[\w./-]+)`/g)].map((match) => match[1] as string);
    t.true(named.length > 3);
    t.deepEqual(
      named.filter((path) => !existsSync(path)),
      [],
    );
  });
}
