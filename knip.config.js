/** Dead code: files, exports and dependencies that nothing reaches from these entries. */
export default {
  entry: ['src/cli/{main,demo,sim}.ts', 'bin/khazana', 'bench/main.ts', 'scripts/*.mjs', 'test/**/*.test.ts'],
  project: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/*.mjs'],
  // The types that a message or a state is made of are named for the reader, not for an importer.
  ignoreExportsUsedInFile: { interface: true, type: true },
}
