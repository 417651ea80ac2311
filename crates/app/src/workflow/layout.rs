//! A layered layout: states in ranks by the longest path from the first one, every arrow bent through the ranks it passes, with a
//! place of its own for its words. Whole pixels throughout.

use super::arrows::Arrow;
use std::collections::BTreeMap;

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: i64,
    pub(crate) height: i64,
    /// Of each state, in the book's order.
    pub(crate) boxes: Vec<Place>,
    /// Of each arrow, in their order.
    pub(crate) curves: Vec<Curve>,
}

/// A rectangle by its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) width: i64,
    pub(crate) height: i64,
}

/// One arrow: through these points, with its words here.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) points: Vec<(i64, i64)>,
    pub(crate) label: Place,
}

pub(crate) const STATE_CHAR: i64 = 8;
pub(crate) const LABEL_CHAR: i64 = 6;
pub(crate) const LABEL_LINE: i64 = 12;
const STATE_HEIGHT: i64 = 30;
/// Between two arrowheads at one state.
const PORT: i64 = 11;
const LANE: i64 = 8;
const GAP_X: i64 = 14;
const GAP_Y: i64 = 24;
const MARGIN: i64 = 24;
const SWEEPS: usize = 24;

/// The graph being laid out. The first nodes are the states; the others are bends and words of arrows.
struct Graph {
    sizes: Vec<(i64, i64)>,
    layer_of: Vec<usize>,
    /// By layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// By node: the nodes it is joined to in the layer above, and below.
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// By arrow: its nodes from its first state to its last, and which of them has the words.
    chains: Vec<(Vec<usize>, usize)>,
}

pub(crate) fn of(states: &[&str], arrows: &[Arrow]) -> Layout {
    let index = |name: &str| states.iter().position(|state| *state == name).unwrap_or(0);
    let ends: Vec<(usize, usize)> = arrows.iter().map(|arrow| (index(&arrow.from), index(&arrow.to))).collect();
    let mut graph = Graph::new(states, arrows, &ends);
    graph.order();
    let x = graph.columns();
    graph.placed(states.len(), &x)
}

/// Longest paths over the arrows that go on in the book's order; the others lead back.
fn ranks(states: usize, ends: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks: Vec<usize> = (0..states).map(|state| usize::from(state > 0)).collect();
    for from in 0..states {
        for (_, to) in ends.iter().filter(|(start, to)| *start == from && *to > from) {
            ranks[*to] = ranks[*to].max(ranks[from] + 1);
        }
    }
    ranks
}

impl Graph {
    fn new(states: &[&str], arrows: &[Arrow], ends: &[(usize, usize)]) -> Self {
        let layer_of: Vec<usize> = ranks(states.len(), ends).iter().map(|rank| rank * 2).collect();
        let width = |state: usize| {
            let ports = ends.iter().filter(|(from, to)| *from == state || *to == state).count();
            (length(states[state]) * STATE_CHAR + 24).max(count(ports) * PORT)
        };
        let sizes = (0..states.len()).map(|state| (width(state), STATE_HEIGHT)).collect();
        let mut graph =
            Self { sizes, layer_of, layers: Vec::new(), above: Vec::new(), below: Vec::new(), chains: Vec::new() };
        for (arrow, (from, to)) in arrows.iter().zip(ends) {
            graph.thread(arrow, *from, *to);
        }
        let nodes = graph.sizes.len();
        (graph.above, graph.below) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        graph.layers = vec![Vec::new(); graph.layer_of.iter().max().map_or(0, |last| last + 1)];
        for node in 0..nodes {
            graph.layers[graph.layer_of[node]].push(node);
        }
        for (chain, _) in &graph.chains {
            for pair in chain.windows(2) {
                let (upper, lower) = if graph.layer_of[pair[0]] < graph.layer_of[pair[1]] {
                    (pair[0], pair[1])
                } else {
                    (pair[1], pair[0])
                };
                graph.below[upper].push(lower);
                graph.above[lower].push(upper);
            }
        }
        graph
    }

    /// One node per layer between the ends; the words have a layer that no state is in.
    fn thread(&mut self, arrow: &Arrow, from: usize, to: usize) {
        let (start, end) = (self.layer_of[from], self.layer_of[to]);
        let (top, bottom) = (start.min(end), start.max(end));
        let middle = (top + bottom) / 2;
        let words_in = if top == bottom { top + 1 } else { middle - usize::from(middle % 2 == 0) };
        let between: Vec<usize> = if top == bottom { vec![top + 1] } else { (top + 1..bottom).collect() };
        let (mut chain, mut words) = (Vec::new(), 0);
        for layer in between {
            let node = self.sizes.len();
            if layer == words_in {
                let longest = arrow.events.iter().map(|event| length(event)).max().unwrap_or(0);
                self.sizes.push((longest * LABEL_CHAR + 8, count(arrow.events.len()) * LABEL_LINE + 4));
                words = node;
            } else {
                self.sizes.push((LANE, 0));
            }
            self.layer_of.push(layer);
            chain.push(node);
        }
        if start > end {
            chain.reverse();
        }
        chain.insert(0, from);
        chain.push(to);
        self.chains.push((chain, words));
    }

    /// Sorts every layer by the middle of its neighbours, down and up again, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let (mut best, mut fewest) = (self.layers.clone(), self.crossings());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let layers = self.layers.len();
            for step in 1..layers {
                let layer = if down { step } else { layers - 1 - step };
                let at = positions(&self.layers[if down { layer - 1 } else { layer + 1 }]);
                let mut keyed: Vec<(i64, usize)> = Vec::new();
                for (place, node) in self.layers[layer].iter().enumerate() {
                    let joined = if down { &self.above[*node] } else { &self.below[*node] };
                    keyed.push((mean(joined, |node| at[node] * 1000).unwrap_or(count(place) * 1000), *node));
                }
                keyed.sort_by_key(|(key, _)| *key);
                self.layers[layer] = keyed.into_iter().map(|(_, node)| node).collect();
            }
            let crossings = self.crossings();
            if crossings < fewest {
                (best, fewest) = (self.layers.clone(), crossings);
            }
        }
        self.layers = best;
    }

    fn crossings(&self) -> usize {
        let mut crossings = 0;
        for pair in self.layers.windows(2) {
            let at = positions(&pair[1]);
            let from =
                |(place, node): (usize, &usize)| self.below[*node].iter().map(|to| (place, at[to])).collect::<Vec<_>>();
            let lines: Vec<(usize, i64)> = pair[0].iter().enumerate().flat_map(from).collect();
            for (n, (a, b)) in lines.iter().enumerate() {
                crossings += lines[n + 1..].iter().filter(|(c, d)| (a < c && b > d) || (a > c && b < d)).count();
            }
        }
        crossings
    }

    /// The horizontal middle of every node: near its neighbours, without touching the next one.
    fn columns(&self) -> Vec<i64> {
        let mut x = vec![0; self.sizes.len()];
        for layer in &self.layers {
            spread(layer, &self.sizes, &vec![0; layer.len()], &mut x);
        }
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let layer = &self.layers[if down { step } else { self.layers.len() - 1 - step }];
                let wish = |node: &usize| {
                    let joined = if down { &self.above[*node] } else { &self.below[*node] };
                    mean(joined, |node| x[*node]).unwrap_or(x[*node])
                };
                let wishes: Vec<i64> = layer.iter().map(wish).collect();
                spread(layer, &self.sizes, &wishes, &mut x);
            }
        }
        let left = (0..x.len()).map(|node| x[node] - self.sizes[node].0 / 2).min().unwrap_or(0);
        x.iter().map(|x| x - left + MARGIN).collect()
    }

    fn placed(&self, states: usize, x: &[i64]) -> Layout {
        let mut y = Vec::new();
        let mut top = MARGIN;
        for layer in &self.layers {
            let height = layer.iter().map(|node| self.sizes[*node].1).max().unwrap_or(0);
            y.push((top + height / 2, height));
            top += height + GAP_Y;
        }
        let place = |node: usize| {
            let (width, height) = self.sizes[node];
            Place { x: x[node], y: y[self.layer_of[node]].0, width, height }
        };
        let ports = self.ports(states, x);
        let curve = |(n, (chain, words)): (usize, &(Vec<usize>, usize))| {
            let mut points = Vec::new();
            for (step, node) in chain.iter().enumerate() {
                let here = place(*node);
                let (middle, height) = y[self.layer_of[*node]];
                if *node < states {
                    let neighbour = if step == 0 { chain[1] } else { chain[step - 1] };
                    let side = if self.layer_of[neighbour] > self.layer_of[*node] { 1 } else { -1 };
                    points.push((ports[&(n, *node)], here.y + side * here.height / 2));
                } else if self.layer_of[chain[step - 1]] == self.layer_of[chain[step + 1]] {
                    // Between two states of one rank: it turns round at its words.
                    points.push((here.x, middle));
                } else {
                    // Straight through the layer, so that the line keeps clear of its boxes.
                    let up = self.layer_of[*node] < self.layer_of[chain[step - 1]];
                    let (first, last) = (middle - height / 2, middle + height / 2);
                    points.extend(if up {
                        [(here.x, last), (here.x, first)]
                    } else {
                        [(here.x, first), (here.x, last)]
                    });
                }
            }
            Curve { points, label: place(*words) }
        };
        let right = (0..x.len()).map(|node| x[node] + self.sizes[node].0 / 2).max().unwrap_or(0);
        Layout {
            width: right + MARGIN,
            height: top - GAP_Y + MARGIN,
            boxes: (0..states).map(place).collect(),
            curves: self.chains.iter().enumerate().map(curve).collect(),
        }
    }

    /// Where each arrow meets its states: side by side, in the order of where it comes from.
    fn ports(&self, states: usize, x: &[i64]) -> BTreeMap<(usize, usize), i64> {
        let mut ports = BTreeMap::new();
        for state in 0..states {
            let mut sides: [Vec<(i64, usize)>; 2] = [Vec::new(), Vec::new()];
            for (n, (chain, _)) in self.chains.iter().enumerate() {
                let neighbour = match (chain.first() == Some(&state), chain.last() == Some(&state)) {
                    (true, _) => chain[1],
                    (false, true) => chain[chain.len() - 2],
                    (false, false) => continue,
                };
                sides[usize::from(self.layer_of[neighbour] > self.layer_of[state])].push((x[neighbour], n));
            }
            for side in &mut sides {
                side.sort_unstable();
                let all = count(side.len());
                for (place, (_, n)) in side.iter().enumerate() {
                    let offset = self.sizes[state].0 * (2 * count(place) + 1) / (2 * all) - self.sizes[state].0 / 2;
                    ports.insert((*n, state), x[state] + offset);
                }
            }
        }
        ports
    }
}

/// Puts a layer's nodes as near to their wishes as their order and sizes allow: the middle of pushing right and pushing left.
fn spread(layer: &[usize], sizes: &[(i64, i64)], wishes: &[i64], x: &mut [i64]) {
    let apart = |a: usize, b: usize| (sizes[layer[a]].0 + sizes[layer[b]].0) / 2 + GAP_X;
    let (mut right, mut left) = (wishes.to_vec(), wishes.to_vec());
    for n in 1..layer.len() {
        right[n] = right[n].max(right[n - 1] + apart(n - 1, n));
    }
    for n in (0..layer.len().saturating_sub(1)).rev() {
        left[n] = left[n].min(left[n + 1] - apart(n, n + 1));
    }
    for (n, node) in layer.iter().enumerate() {
        // Rounding must not bring two nodes closer: both are rounded the same way.
        x[*node] = (right[n] + left[n]).div_euclid(2);
    }
}

fn positions(layer: &[usize]) -> BTreeMap<usize, i64> {
    layer.iter().enumerate().map(|(place, node)| (*node, count(place))).collect()
}

fn mean<T>(items: &[T], value: impl Fn(&T) -> i64) -> Option<i64> {
    let sum: i64 = items.iter().map(value).sum();
    sum.checked_div(count(items.len()))
}

fn length(text: &str) -> i64 {
    count(text.chars().count())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
