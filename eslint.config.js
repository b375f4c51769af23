import { builtinModules } from 'node:module'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Where the real world may be touched. Everywhere else it is injected: see docs/architecture.md. */
const realWorld = ['src/io/node/**', 'src/cli/**', 'src/fuse/**']

/** Shipped for tests, so that they may stand in for the world; but never left to time or chance. */
const testing = ['src/testing/**']

const useClock = 'Time is injected: take a Clock (src/io/clock.ts).'
const useRandom = 'Chance is injected: take a Random (src/io/random.ts).'
const useLogger = 'Output is injected: take a Logger (src/io/logger.ts).'
const useBytes = 'Use Uint8Array, DataView, TextEncoder and TextDecoder.'
const useWorld =
  'The world is injected (src/io/world.ts); only src/io/node, src/cli and src/fuse may touch the real one.'

const ambientGlobals = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'].map(
    (name) => ({
      name,
      message: useClock,
    }),
  ),
  { name: 'performance', message: useClock },
  { name: 'crypto', message: useRandom },
  { name: 'console', message: useLogger },
  { name: 'Buffer', message: useBytes },
  ...[
    'process',
    'global',
    'globalThis',
    'require',
    'fetch',
    'WebSocket',
    'navigator',
    'BroadcastChannel',
  ].map((name) => ({
    name,
    message: useWorld,
  })),
]

const ambientProperties = [
  { object: 'Date', property: 'now', message: useClock },
  { object: 'AbortSignal', property: 'timeout', message: useClock },
  { object: 'Math', property: 'random', message: useRandom },
]

const ambientCalls = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: useClock },
  { selector: 'CallExpression[callee.name="Date"]', message: useClock },
  { selector: 'CallExpression[callee.object.name="Date"][callee.property.name="now"]', message: useClock },
  { selector: 'CallExpression[callee.object.name="performance"]', message: useClock },
  {
    selector: 'CallExpression[callee.object.name="Math"][callee.property.name="random"]',
    message: useRandom,
  },
]

const dynamicImports = [
  { selector: 'ImportExpression', message: 'Import statically, so that the layers can be checked.' },
]

/** Ordinary JavaScript: the scripts that run before anything is installed, and configuration. */
const scripts = ['**/*.js', '**/*.mjs', '**/*.cjs', 'bin/khazana']

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'off',
      'no-else-return': 'error',
      'no-template-curly-in-string': 'error',
      'object-shorthand': 'error',

      // Promises: none is forgotten.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      // An async function without await still turns what it throws into a rejection, as its interface promises.
      '@typescript-eslint/require-await': 'off',

      // Types tell the story.
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      // Would ask for `!` where we write a cast with its reason.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/strict-boolean-expressions': ['error', { allowNumber: false, allowString: false }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],

      // Numbers read well in a message; `void` arrows read well as callbacks.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // `Promise<void> | void` and `withResolvers<void>()` say what they mean.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**/*.ts', 'examples/**/*.ts'],
    ignores: [...realWorld, ...testing],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [{ group: ['node:*'], message: useWorld }],
          paths: builtinModules.map((name) => ({ name, message: useWorld })),
        },
      ],
      'no-restricted-globals': ['error', ...ambientGlobals],
      'no-restricted-properties': ['error', ...ambientProperties],
      'no-restricted-syntax': ['error', ...ambientCalls, ...dynamicImports],
    },
  },
  {
    files: testing.map((folder) => `${folder}/*.ts`),
    rules: { 'no-restricted-syntax': ['error', ...ambientCalls] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'src/testing/**/*.ts'],
    rules: {
      // node:test keeps the promises of its own calls.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'it', 'suite', 'describe', 'before', 'after'],
            },
          ],
        },
      ],
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: scripts,
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        AbortController: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
      },
    },
    rules: {
      eqeqeq: 'error',
      'no-undef': 'error',
      'no-unused-vars': 'error',
      'prefer-const': 'error',
      'no-var': 'error',
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable', require: 'readonly' } },
  },
)
