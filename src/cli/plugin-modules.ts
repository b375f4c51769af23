import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Option } from 'commander'
import { Plugins } from '../consistency/plugins.js'
import type { PluginOptions, PluginPlace } from '../consistency/plugins.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'

/** `--plugin MODULE`, as often as there are modules. */
export function pluginOption(): Option {
  return new Option(
    '--plugin <module>',
    'more protocols, conflict tests and merge functions: a path or a package; may be repeated',
  ).argParser((text, before: readonly string[] | undefined) => [...(before ?? []), text])
}

const exportNames = ['protocols', 'conflictTests', 'mergeFunctions'] as const

/**
 * What the modules export as `protocols`, `conflictTests` and `mergeFunctions`, together. A module is a path, or the name of
 * a package that is installed where the command runs, or where it is itself. Throws `invalid-argument`.
 */
export async function loadPlugins(
  modules: readonly string[] | undefined,
  place: PluginPlace,
): Promise<PluginOptions> {
  const protocols: NonNullable<PluginOptions['protocols']>[number][] = []
  const conflictTests = new Map<string, unknown>()
  const mergeFunctions = new Map<string, unknown>()
  for (const module of modules ?? []) {
    const found = await load(module, place)
    protocols.push(...(found.protocols ?? []))
    addTo(conflictTests, found.conflictTests, module)
    addTo(mergeFunctions, found.mergeFunctions, module)
  }
  // Checked, module by module.
  return {
    protocols,
    conflictTests: Object.fromEntries(conflictTests),
    mergeFunctions: Object.fromEntries(mergeFunctions),
  } as PluginOptions
}

/** Of two functions with one name none can be meant for sure. */
function addTo(
  all: Map<string, unknown>,
  found: Readonly<Record<string, unknown>> = {},
  module: string,
): void {
  for (const [name, value] of Object.entries(found)) {
    if (all.has(name)) {
      throw new KhazanaError(
        'invalid-argument',
        `the plugin ${module} has ${shown(name)}, as an earlier one has`,
      )
    }
    all.set(name, value)
  }
}

async function load(module: string, place: PluginPlace): Promise<PluginOptions> {
  const exported = await imported(module)
  const options: PluginOptions = Object.fromEntries(
    exportNames.flatMap((name) => (exported[name] === undefined ? [] : [[name, exported[name]]])),
  )
  if (Object.keys(options).length === 0) {
    throw new KhazanaError(
      'invalid-argument',
      `the plugin ${module} exports none of ${exportNames.join(', ')}: a list of protocols, and functions by name`,
    )
  }
  try {
    Plugins.of(options, place)
  } catch (reason) {
    const { code, message } = KhazanaError.from(reason)
    throw new KhazanaError(code, `the plugin ${module} is none: ${message}`, { cause: reason })
  }
  return options
}

/** What it exports by name, be it an ECMAScript module or a CommonJS one. */
async function imported(module: string): Promise<Readonly<Record<string, unknown>>> {
  const url = urlOf(module)
  let namespace: Readonly<Record<string, unknown>>
  try {
    namespace = (await import(url)) as Readonly<Record<string, unknown>>
  } catch (reason) {
    if (isMissing(reason, module)) throw notFound(module, reason)
    throw new KhazanaError(
      'invalid-argument',
      `the plugin ${module} cannot be loaded: ${KhazanaError.from(reason).message}`,
      { cause: reason },
    )
  }
  const { default: whole } = namespace
  return typeof whole === 'object' && whole !== null ? { ...whole, ...namespace } : namespace
}

function urlOf(module: string): string {
  const path = resolve(module)
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true
  if (isAbsolute(module) || module.startsWith('.') || isFile) {
    if (!isFile) throw notFound(module, undefined)
    return pathToFileURL(path).href
  }
  try {
    return pathToFileURL(createRequire(resolve('here.js')).resolve(module)).href
  } catch {
    // Not for `require`, or not here: `import` looks where this command is installed.
    return module
  }
}

/** Whether the module itself was not found, and not one that it imports. */
function isMissing(reason: unknown, module: string): boolean {
  const { code, message } = reason as { readonly code?: unknown; readonly message?: string }
  return code === 'ERR_MODULE_NOT_FOUND' && message?.includes(`'${module}'`) === true
}

function notFound(module: string, cause: unknown): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `no plugin ${shown(module)}: there is no file ${resolve(module)}, nor a package of that name`,
    { cause },
  )
}
