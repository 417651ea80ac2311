//! The models and their bounds.

use crate::bank::Bank;
use crate::checker::{Model, is, minutes, shut, start};
use crate::create::{self, Provider, Repeat};
use crate::kept::Kept;
use crate::remit::{self, Outside, Scope};
use crate::world::World;
use domain::InstanceId;
use stateright::Property;
use std::collections::BTreeMap;
use uuid::Uuid;
use workflows::draw::{specimen_time, with_cx};
use workflows::levy_order::Order;
use workflows::machine::{Cx, Machine};
use workflows::remit::{Event, Remit};
use workflows::{Freezes, Params, Policy};

const ME: InstanceId = InstanceId(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001));
const PARENT: InstanceId = InstanceId(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0002));

/// Minutes after the first send. The quarantine is 4: late messages are late by up to two instants.
pub(crate) const CREATE: &[u64] = &[0, 2, 4, 6, 8];
/// A permit, its expiry, just before `pay_cutoff` and after, past D, past the 72 h.
pub(crate) const PAY: &[u64] = &[0, 1500, 2630, 2650, 4210, 4330];
/// A decision ten hours in, its probes, and the 72 h.
pub(crate) const CONFIRM: &[u64] = &[600, 602, 604, 606, 608, 4325, 4327];
pub(crate) const CANCEL: &[u64] = &[600, 602, 604, 606, 608, 4325, 4327];

fn params(changes: &[(&str, &str)]) -> Params {
    let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Params::new(&changes.collect::<BTreeMap<_, _>>()).expect("values inside their bounds")
}

/// CREATE in doubt, probed and sent again, by two workers.
pub(crate) fn create(surprises: u8, instants: &[u64]) -> Model<Provider> {
    let of = |repeat, absent_known, skew| {
        let provider = Provider::new(repeat, absent_known);
        start(Order::new(specimen_time(0)), provider, surprises, skew, specimen_time(0))
    };
    let starts = vec![
        of(Repeat::Same, true, 0),
        of(Repeat::Rejected, true, 0),
        of(Repeat::SecondOrder, true, -30),
        of(Repeat::SecondOrder, true, 30),
        of(Repeat::SecondOrder, false, 0),
    ];
    Model {
        name: "CREATE",
        me: ME,
        parent: None,
        input: create::input(),
        params: params(&[("quarantine", "4m")]),
        policy: Policy::default(),
        free: Freezes::default(),
        shut: shut(),
        instants: minutes(instants),
        starts,
        freezes: true,
        sometimes: vec![
            Property::sometimes("an order is in doubt", |_, world| is(world, "create_in_doubt")),
            Property::sometimes("CREATE is sent again", |_, world: &World<Provider>| world.watch.sends > 1),
            Property::sometimes("the remits are there", |_, world| is(world, "ready")),
            Property::sometimes("an order is rejected", |_, world| is(world, "rejected")),
            Property::sometimes("an order is cancelled", |_, world| is(world, "cancelled")),
            Property::sometimes("an order waits for a person", |_, world| is(world, "needs_operator")),
            Property::sometimes("two workers are at it", |_, world: &World<Provider>| {
                world.hands.iter().all(Option::is_some)
            }),
        ],
    }
}

fn remit(name: &'static str, instants: &[u64], sometimes: Vec<Property<Model<Outside>>>) -> Model<Outside> {
    Model {
        name,
        me: ME,
        parent: Some(PARENT),
        input: remit::input(),
        params: params(&[("quarantine", "4m")]),
        policy: Policy::default(),
        free: Freezes::default(),
        shut: shut(),
        instants: minutes(instants),
        starts: Vec::new(),
        freezes: false,
        sometimes,
    }
}

/// One remit from its first permit to its decision: permits, bank, reports, cut-off, deadline, and the 72 h.
pub(crate) fn pay(surprises: u8, asks: u8, skews: &[i8], instants: &[u64]) -> Model<Outside> {
    let sometimes = vec![
        reached("permitted"),
        reached("payout_in_doubt"),
        reached("paid"),
        reached("confirming"),
        reached("levying"),
        reached("cancelled"),
        reached("auto_closed_unpaid"),
        reached("auto_closed_paid"),
        Property::sometimes("a second attempt is paid", |_, world: &World<Outside>| {
            world.far.slots.len() > 1 && world.far.paid_at().is_some()
        }),
    ];
    let mut model = remit("PAY", instants, sometimes);
    let scope = Scope { asks, cancels: true, until_sent: true };
    for skew in skews {
        let outside = Outside::new(scope, false, false);
        let remit = Remit::new(true, model.instants[0], model.params.slow_look);
        model.starts.push(start(remit, outside, surprises, *skew, model.instants[0]));
    }
    model
}

/// The decision CONTINUE on its way, in doubt, proved, sent again, closed under it; and people.
pub(crate) fn confirm(surprises: u8, instants: &[u64]) -> Model<Outside> {
    let sometimes = vec![
        reached("confirming"),
        reached("confirm_in_doubt"),
        reached("levying"),
        reached("levied"),
        reached("auto_closed_paid"),
        reached("needs_operator"),
        reached("contradicted"),
        Property::sometimes("CONTINUE is sent again", |_, world: &World<Outside>| world.watch.sends > 1),
        Property::sometimes("CONTINUE leaves past D", |model: &Model<Outside>, world: &World<Outside>| {
            world.watch.sends > 0 && model.now(world) > model.input.deadline
        }),
    ];
    let mut model = remit("CONFIRM", instants, sometimes);
    model.freezes = true;
    for (repeat_refused, shows_time, skew) in [(false, false, -30), (true, false, 30), (true, true, 0)] {
        let scope = Scope { asks: 0, cancels: false, until_sent: false };
        let mut outside = Outside::new(scope, repeat_refused, shows_time);
        let world = start(
            Remit::new(true, model.instants[0], model.params.slow_look),
            outside.clone(),
            surprises,
            skew,
            model.instants[0],
        );
        let mut world = led(&model, world, vec![Event::PermitAsked { ask: Uuid::nil() }, outside.open()]);
        let permit = world.ledger.permits[0].id;
        outside.slots = vec![(permit, Bank::Paid(model.instants[0]))];
        world = led(&model, world, vec![outside.paid(0, model.instants[0])]);
        world.far = outside;
        model.starts.push(world);
    }
    model
}

/// The decision CANCEL on its way, in doubt, proved, sent again.
pub(crate) fn cancel(surprises: u8, instants: &[u64]) -> Model<Outside> {
    let sometimes = vec![
        reached("cancelling"),
        reached("cancel_in_doubt"),
        reached("cancelled"),
        reached("needs_operator"),
        Property::sometimes("CANCEL is sent again", |_, world: &World<Outside>| world.watch.sends > 1),
    ];
    let mut model = remit("CANCEL", instants, sometimes);
    model.freezes = true;
    for (repeat_refused, skew) in [(false, -30), (true, 30)] {
        let scope = Scope { asks: 1, cancels: true, until_sent: false };
        let outside = Outside::new(scope, repeat_refused, false);
        let remit = Remit::new(true, model.instants[0], model.params.slow_look);
        let world = start(remit, outside, surprises, skew, model.instants[0]);
        model.starts.push(led(&model, world, vec![Event::CancelAsked { by: "amei".into() }]));
    }
    model
}

/// The world after these events, each committed by itself at the model's first instant.
fn led(model: &Model<Outside>, mut world: World<Outside>, events: Vec<Event>) -> World<Outside> {
    for event in events {
        let next = with_cx(|cx| {
            let (now, params) = (model.instants[0], &model.params);
            let cx = &Cx { me: ME, parent: model.parent, now, real: now, params, ..*cx };
            (*world.row.state).clone().apply(&model.input, event, cx).expect("an arrow")
        });
        world.ledger.take(&next.writes, model.instants[0]).expect("rows that the database takes");
        world.row.state = Kept::new(next.state);
    }
    world
}

fn reached(name: &'static str) -> Property<Model<Outside>> {
    // A property's condition carries nothing: one per state that is asked for.
    let condition: fn(&Model<Outside>, &World<Outside>) -> bool = match name {
        "permitted" => |_, world| is(world, "permitted"),
        "payout_in_doubt" => |_, world| is(world, "payout_in_doubt"),
        "paid" => |_, world| is(world, "paid"),
        "confirming" => |_, world| is(world, "confirming"),
        "confirm_in_doubt" => |_, world| is(world, "confirm_in_doubt"),
        "levying" => |_, world| is(world, "levying"),
        "levied" => |_, world| is(world, "levied"),
        "gate_closed" => |_, world| is(world, "gate_closed"),
        "cancelling" => |_, world| is(world, "cancelling"),
        "cancel_in_doubt" => |_, world| is(world, "cancel_in_doubt"),
        "cancelled" => |_, world| is(world, "cancelled"),
        "auto_closed_unpaid" => |_, world| is(world, "auto_closed_unpaid"),
        "auto_closed_paid" => |_, world| is(world, "auto_closed_paid"),
        "contradicted" => |_, world| is(world, "contradicted"),
        "needs_operator" => |_, world| is(world, "needs_operator"),
        _ => panic!("{name} is asked for, and not known here"),
    };
    Property::sometimes(name, condition)
}
