"""Flow completion times by SimGrid, as the peer of fabric.py: reads a case from stdin, prints JSON.

Runs with the interpreter that has SimGrid's bindings (Debian 12: apt-get install python3-simgrid, 3.32, with
/usr/bin/python3). CM02 without TCP's factors and with latency 0 shares max-min; with any latency it would
share by 1/latency instead.
"""

import json
import sys
import time

from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone

FLAGS = (
    "--cfg=network/model:CM02",
    "--cfg=network/TCP-gamma:0",
    "--cfg=network/crosstraffic:0",
    "--cfg=network/weight-S:0",
    "--cfg=network/latency-factor:1",
    "--cfg=network/bandwidth-factor:1",
    "--log=root.thresh:error",
)


def main():
    case = json.load(sys.stdin)
    engine = Engine([sys.argv[0], *FLAGS])
    zone = NetZone.create_full_zone("root")
    links = [zone.create_link(f"l{number}", rate) for number, rate in enumerate(case["bytes_per_s"])]
    hosts, known = {}, set()
    for flow in case["flows"]:
        source, destination = flow["source"], flow["destination"]
        for name in (source, destination):
            if name not in hosts:
                hosts[name] = zone.create_host(f"h{name}", 1e9)
        if (source, destination) not in known:
            known.add((source, destination))
            route = [LinkInRoute(links[link]) for link in flow["links"]]
            ends = hosts[source].netpoint, hosts[destination].netpoint
            zone.add_route(*ends, None, None, route, False)
    for host in hosts.values():
        host.seal()
    for link in links:
        link.seal()
    zone.seal()
    finished = []

    def send():
        comms = [
            Comm.sendto_async(hosts[flow["source"]], hosts[flow["destination"]], flow["num_bytes"])
            for flow in case["flows"]
        ]
        numbers = list(range(len(comms)))
        finished[:] = [0.0] * len(comms)
        while comms:
            done = Comm.wait_any(comms)
            finished[numbers[done]] = Engine.clock if isinstance(Engine.clock, float) else engine.get_clock()
            comms.pop(done)
            numbers.pop(done)

    started = time.process_time()
    Actor.create("sender", next(iter(hosts.values())), send)
    engine.run()
    print(json.dumps({"cpu_s": time.process_time() - started, "finished_at_s": finished}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
