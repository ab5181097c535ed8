// Writes docs/OPTIONS.md from the code: the config's schema, the interfaces that hold options, and the limits. Run after a build:
// `node scripts/options-page.js`. A test checks that the page is up to date.
import { writeFileSync } from 'node:fs';
import { optionsPage } from '../dist/test/support/options-page.js';

writeFileSync(new URL('../docs/OPTIONS.md', import.meta.url), optionsPage());
