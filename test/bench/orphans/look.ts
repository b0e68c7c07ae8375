// One look at a cluster, then the most memory that this process ever had: node test/bench/orphans/look.ts nothing|paged|whole URL
import { list } from "../../../core/kubernetes/objects.ts";
import { findPeers } from "../../../core/orphans/peers/peers.ts";
import { clusterAt } from "../../integration/core/kubernetes/api-server.ts";

const [how, url = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const cluster = clusterAt(url);
if (how === "paged") await findPeers(cluster, [], signal);
else if (how === "whole") await list(cluster, { kind: "Pod" }, signal);
else await cluster.call({ method: "GET", path: "/version" });
console.log(process.resourceUsage().maxRSS);
cluster.close();
