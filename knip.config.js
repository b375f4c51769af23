/** Dead code: files, exports and dependencies that nothing reaches from these entries. */
export default {
  entry: [
    'src/index.ts',
    'src/{fs,testing}/index.ts',
    'src/cli/{main,demo,demo/count}.ts',
    'src/fuse/device/{poll,notify}-worker.ts',
    'sim/{,scale/}main.ts',
    'torture/{,client/,failover/}main.ts',
    'bin/khazana',
    'bench/{main,fs/main,process/child}.ts',
    'scripts/*.mjs',
    'test/{**/*.test,coordinator/embedded-child,posix/agent/main,fuse/benchmark,fuse/memory-daemon,fuse/racer}.ts',
    'examples/*/*.ts',
  ],
  project: [
    'src/**/*.ts',
    'sim/**/*.ts',
    'torture/**/*.ts',
    'test/**/*.ts',
    'bench/**/*.ts',
    'examples/**/*.ts',
    'scripts/*.mjs',
  ],
  // The parts of a message, and bounds, are named for the reader; what its own file uses is not dead.
  ignoreExportsUsedInFile: true,
}
