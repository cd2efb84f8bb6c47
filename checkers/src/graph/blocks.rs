//! Divide and conquer: in an order that most edges follow, a cycle lies within the reach of edges that lead
//! back. Histories are mostly in order, so that only small pieces of a big graph are ever built.

/// Splits nodes, given in an order, into groups that hold every cycle. `edges` calls back with every edge
/// that it finds around a node; each edge must be found at one node at least. Groups of one are left out.
pub(crate) fn split(order: &[u32], edges: impl Fn(u32, &mut dyn FnMut(u32, u32))) -> Vec<Vec<u32>> {
    let mut rank = vec![0_u32; order.len()];
    for (at, node) in (0..).zip(order) {
        rank[*node as usize] = at;
    }
    // How far the edges back that end at each rank come from.
    let mut reach: Vec<u32> = (0..).take(order.len()).collect();
    for node in order {
        edges(*node, &mut |from, to| {
            let (from, to) = (rank[from as usize], rank[to as usize]);
            if to < from {
                let reach = &mut reach[to as usize];
                *reach = (*reach).max(from);
            }
        });
    }
    let mut groups = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let mut end = reach[start] as usize;
        let mut at = start + 1;
        while at <= end {
            end = end.max(reach[at] as usize);
            at += 1;
        }
        if end > start {
            groups.push(order[start..=end].to_vec());
        }
        start = end + 1;
    }
    groups
}
