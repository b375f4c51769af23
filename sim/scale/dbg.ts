import { ScaleCluster } from './scale-cluster.js'
const cluster = new ScaleCluster({ seed: 1, nodes: 4, regions: 40 })
const [, , home = '3', user = '2', times = '1'] = process.argv
await cluster.run(async () => {
  await cluster.startUpTo(4)
  const H = Number(home) as never
  const U = Number(user) as never
  const r = await cluster.khazana(H).reserve(4096)
  await r.allocate()
  const x = await cluster.khazana(U).region(r.address)
  for (let i = 0; i < Number(times); i++) { const l = await x.lock('read', { offset: 0, length: 4096 }); await l.unlock() ; await cluster.pause(60) }
  for (let i = 0; i < 14; i++) {
    await cluster.pause(5_000)
    const s = cluster.node(U).replicas.session(H)
    const s2 = cluster.node(H).replicas.session(U)
    console.log(i, [...cluster.sessionsByNode].join(' '), cluster.totals().messages, s?.isParting, s2?.isParting, s && [...cluster.node(U).replicas.all()].map((z) => [z.descriptor.address, z.role.kind, z.lastUse, z.needsParent]).join('|'))
  }
})
