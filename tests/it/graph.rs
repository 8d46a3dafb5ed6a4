//! Paid calls at random over packages that import one another: what they charge, absorb and share is in the books of those
//! who earned it, to the last unit.
//!
//! That each share is the exact figure, rounded, is shown in `core`, over far more calls; here components run, payers pay
//! at the same time, and the store adds up.

use std::collections::BTreeMap;

use glassbox_core::ledger::Account;
use glassbox_core::limits;
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::receipt::Receipt;
use glassbox_core::split::Receiver;
use glassbox_registry::PackageFiles;
use serde_json::json;
use tokio::task::JoinSet;

use crate::chaos::Dice;
use crate::composition::{leaf, often, on, path, payee, pin, publish};
use crate::payer::{Payer, Way, charged};
use crate::stage::Stage;

/// How often each payer calls.
const CALLS: usize = 60;

/// The packages that have a price per call and payees, and leave a part to what they rest on.
const SOLD: [&str; 8] = ["top", "tarn", "toll", "town", "tree", "turf", "twig", "tyre"];

const SECURITY: &str = "[security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n";

fn price(unit: &str, amount: &str, more: &str) -> String {
    format!("[[price]]\nid = \"{unit}\"\nunit = \"{unit}\"\namount = \"{amount}\"\n{more}{SECURITY}")
}

/// Packages that import some of those before them.
#[derive(Default)]
struct Graph {
    made: Vec<Made>,
}

struct Made {
    name: String,
    package: PackageFiles,
    imports: Vec<usize>,
    /// How many components it comes to, and how many levels of them.
    size: (usize, usize),
}

impl Graph {
    fn add(&mut self, name: &str, package: PackageFiles, imports: Vec<usize>) {
        // Bounds what a call can cost.
        let manifest = package.manifest.replace("import = true", "import = true\nfuel-max = 10_000_000");
        let package = PackageFiles { manifest, ..package };
        let below = || imports.iter().map(|import| self.made[*import].size);
        let size = (
            1 + below().map(|(count, _)| count).sum::<usize>(),
            1 + below().map(|(_, depth)| depth).max().unwrap_or_default(),
        );
        assert!(size.0 <= limits::CALL_INSTANCES_MAX && size.1 <= limits::CALL_DEPTH_MAX, "{name}: {size:?}");
        self.made.push(Made { name: name.to_owned(), package, imports, size });
    }

    /// Adds a package that imports some at random, each by other terms.
    fn grow(&mut self, name: &str, dice: &mut Dice, terms: &str) {
        let mut imports: Vec<usize> = Vec::new();
        for _ in 0..3 {
            let one = dice.roll(self.made.len() as u64) as usize;
            if !imports.contains(&one) && self.made[one].size.0 < 8 {
                imports.push(one);
            }
        }
        imports.sort_unstable();
        let mut named = String::from("[dependencies]\n");
        for import in &imports {
            let name = &self.made[*import].name;
            // Who has a price can pay for what costs little and brings nothing with it.
            let how = match dice.roll(4) {
                0 => ", share = 300",
                1 | 2 if name == "each" && terms.contains("[[price]]") => ", absorb = true",
                _ => "",
            };
            named.push_str(&format!("\"lab:{name}\" = {{ version = \"1\", calls-max = 2{how} }}\n"));
        }
        let parts: Vec<&PackageFiles> = imports.iter().map(|import| &self.made[*import].package).collect();
        let package = on(name, &parts, &format!("{named}{terms}"));
        self.add(name, package, imports);
    }
}

/// Six leaves, four packages that are free, and eight that cost something.
fn graph(dice: &mut Dice) -> Graph {
    let mut graph = Graph::default();
    for (name, package) in [
        ("plain", leaf("plain", &payee("pam"))),
        // Burns as much as it is told to, and hardly anything in its tests.
        ("greedy", often("greedy", &[], &payee("guy"))),
        ("nobody", leaf("nobody", "")),
        (
            "fuel",
            often("fuel", &[], &format!("{}{}", price("fuel", "0.000001", "per = 1_000\n"), payee("fay"))),
        ),
        ("each", leaf("each", &format!("{}{}", price("call", "0.0001", ""), payee("eli")))),
        (
            "two",
            leaf(
                "two",
                "[[payee]]\nid = \"acct:tim\"\nshare = 6667\n[[payee]]\nid = \"acct:una\"\nshare = 3333\n",
            ),
        ),
    ] {
        graph.add(name, package, Vec::new());
    }
    for name in ["mid", "mill", "moor", "moss"] {
        graph.grow(name, dice, &payee(name));
    }
    for name in SOLD {
        let parent = pin(&graph.made[dice.roll(6) as usize].package);
        let derived = format!(
            "[[derived-from]]\nrelease = \"{}\"\nterms = \"{}\"\nshare = {}\n",
            parent.release,
            parent.terms,
            1 + dice.roll(999)
        );
        let cost = format!("0.00{}", 1_000 + dice.roll(3_000));
        let terms = format!(
            "[splits]\ndependencies = {}\n{derived}{}[[payee]]\nid = \"acct:{name}\"\nshare = 9999\n\
             [[payee]]\nid = \"acct:one\"\nshare = 1\n",
            1_000 + dice.roll(3_000),
            price("call", &cost, "")
        );
        graph.grow(name, dice, &terms);
    }
    graph
}

/// Pays for calls at random, in ways that take turns.
async fn spend(mut payer: Payer, mut dice: Dice) -> (Payer, Vec<Receipt>) {
    let mut receipts = Vec::new();
    for (number, way) in [Way::Credit, Way::Upto, Way::Exact].into_iter().cycle().take(CALLS).enumerate() {
        let number = number.to_string();
        let body = json!({ "args": [dice.roll(40_000)], "nonce": number });
        let order = payer.order_at(way, path(dice.pick(&SOLD)), body, &number).await;
        let reply = payer.pays(&order).await;
        reply.output();
        let (_, receipt) = reply.receipt();
        assert_eq!(charged(&reply), receipt.charge.amount.0);
        receipts.push(receipt);
    }
    (payer, receipts)
}

/// What a payer has in its wallet and in credit.
async fn purse(stage: &Stage, payer: &Payer) -> u128 {
    let credit = stage.store().balance(&Account::Payer(payer.account.clone())).await.unwrap();
    stage.balance(payer.address()).await + credit.available().0 / PICO_PER_ATOMIC
}

/// What everybody has earned so far, in pico.
async fn earned(stage: &Stage) -> BTreeMap<Account, u128> {
    let balances = stage.store().balances().await.unwrap().into_iter();
    let earns = |account: &Account| matches!(account, Account::Operator | Account::Payee(_));
    balances
        .map(|balance| (balance.account, balance.credits.0))
        .filter(|(account, _)| earns(account))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_paid_calls_over_a_graph_conserve() {
    let stage = Stage::without_sweep().await;
    let graph = graph(&mut Dice(6));
    for Made { package, imports, .. } in &graph.made {
        let imports: Vec<&PackageFiles> = imports.iter().map(|import| &graph.made[*import].package).collect();
        publish(&stage, package, &imports).await;
    }
    let (mut payers, mut had) = (Vec::new(), BTreeMap::new());
    for name in ["ana", "ben", "cyn", "dan"] {
        let payer = Payer::new(&stage, name).await;
        had.insert(payer.account.clone(), purse(&stage, &payer).await);
        payers.push(payer);
    }
    let mut due = earned(&stage).await;
    let mut tasks = JoinSet::new();
    for (seed, payer) in payers.into_iter().enumerate() {
        tasks.spawn(spend(payer, Dice(seed as u64)));
    }
    let spent = tasks.join_all().await;
    stage.registry.reconcile().await;

    for (payer, receipts) in &spent {
        let charged: u128 = receipts.iter().map(|receipt| receipt.charge.amount.0).sum();
        assert_eq!(had[&payer.account] - purse(&stage, payer).await, charged);
        for receipt in receipts {
            let shares = receipt.split.iter().map(|share| share.amount.0);
            assert_eq!(shares.sum::<u128>(), receipt.charge.amount.to_pico().0);
            for share in &receipt.split {
                *due.entry(Account::from(&share.to)).or_default() += share.amount.0;
            }
        }
    }
    assert_eq!(earned(&stage).await, due);
    stage.assert_sound().await;

    // Everything that there is to share by took part.
    let receipts = || spent.iter().flat_map(|(_, receipts)| receipts);
    let shares = || receipts().flat_map(|receipt| &receipt.split);
    let paid = |id: &str| shares().any(|share| share.to == Receiver::Payee(format!("acct:{id}")));
    for id in ["pam", "guy", "fay", "eli", "tim", "una", "one"].into_iter().chain(SOLD) {
        assert!(paid(id), "{id} earned nothing");
    }
    let lines = |receipt: &&Receipt| receipt.charge.lines.iter().any(|line| line.dependency.is_some());
    let wasteful = |receipt: &&Receipt| {
        receipt.inner.iter().any(|node| node.fuel > 4 * node.fuel_baseline.unwrap() * node.calls)
    };
    let deep = |receipt: &&Receipt| receipt.inner.iter().any(|node| node.parent.is_some());
    // What `each` charges and the caller does not pay is absorbed.
    let is_each = |text: String| text == "lab:each@1.0.0";
    let absorbs = |receipt: &&Receipt| {
        receipt.inner.iter().any(|node| is_each(node.release.to_string()))
            && !receipt.charge.lines.iter().any(|line| {
                line.dependency.as_ref().is_some_and(|dependency| is_each(dependency.to_string()))
            })
    };
    for (what, count) in [
        ("have lines of dependencies", receipts().filter(lines).count()),
        ("waste fuel", receipts().filter(wasteful).count()),
        ("call by another", receipts().filter(deep).count()),
        ("absorb", receipts().filter(absorbs).count()),
    ] {
        assert!(count > 10, "{count} calls {what}");
    }
}
