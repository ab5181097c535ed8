// Tests run on compiled output (see docs/DESIGN.md, section 8): `npm run build` first.
export default {
  files: ['dist/test/**/*.test.js'],
  concurrency: 2,
  timeout: '2m',
  nodeArguments: ['--enable-source-maps'],
};
