/** Dead code: files, exports and dependencies that nothing reaches from these entries. */
export default {
  entry: [
    'src/cli/{main,demo,sim}.ts',
    'bin/khazana',
    'bench/main.ts',
    'bench/process/child.ts',
    'scripts/*.mjs',
    'test/**/*.test.ts',
  ],
  project: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/*.mjs'],
  // The parts of a message, and bounds, are named for the reader; what its own file uses is not dead.
  ignoreExportsUsedInFile: true,
}
