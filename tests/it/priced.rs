//! Dependencies that charge: quoted, paid, split by their own terms, absorbed; and what cannot be.

use std::path::PathBuf;

use glassbox_core::acts::{Act as _, TermsChange};
use glassbox_core::ledger::Account;
use glassbox_core::manifest::Terms;
use glassbox_core::receipt::{Bundle, Receipt};
use glassbox_core::release::{Pinned, Release};
use glassbox_core::{Atomic, Pico};
use glassbox_registry::PackageFiles;
use glassbox_registry::package::Package;
use serde_json::json;

use crate::buyer::Reply;
use crate::command::Shell;
use crate::composition::{again, leaf, leaf_at, often, on, path, payee, pin, publish, send};
use crate::names::act;
use crate::packages::publisher;
use crate::payer::{ALL, Payer, charged, worth};
use crate::receipts::{complete, stranger, sweep};
use crate::stage::{Stage, keys};

const SECURITY: &str = "[security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n\n";

/// A price per call, in dollars.
fn each(amount: &str) -> String {
    format!("[[price]]\nid = \"run\"\nunit = \"call\"\namount = \"{amount}\"\n\n")
}

/// Charges so, and pays one.
fn charges(name: &str, price: &str, id: &str) -> PackageFiles {
    leaf(name, &format!("{price}{SECURITY}{}", payee(id)))
}

/// Costs a hundredth of a cent for each call.
fn zip() -> PackageFiles {
    charges("zip", &each("0.0001"), "zoe")
}

const PER_FUEL: &str = "[[price]]\nid = \"work\"\nunit = \"fuel\"\namount = \"0.001\"\nper = 100_000\n\n";

/// Costs a tenth of a cent for a hundred thousand units of fuel.
fn fold() -> PackageFiles {
    charges("fold", PER_FUEL, "fay")
}

/// Returns what every payee has earned, in pico.
async fn earned<const N: usize>(stage: &Stage, names: [&str; N]) -> [u128; N] {
    let mut earned = [0; N];
    for (earned, name) in earned.iter_mut().zip(names) {
        let account = Account::Payee(format!("acct:{name}"));
        *earned = stage.store().balance(&account).await.unwrap().credits.0;
    }
    earned
}

fn lines(receipt: &Receipt) -> Vec<(Option<String>, u64, u128)> {
    let lines = receipt.charge.lines.iter();
    let release = |line: &glassbox_core::terms::Line| line.dependency.as_ref().map(ToString::to_string);
    lines.map(|line| (release(line), line.quantity, line.amount.0)).collect()
}

/// Signs another receipt over what opens one.
fn forged(bundle: &Bundle, receipt: &Receipt, change: impl FnOnce(&mut Receipt)) -> Bundle {
    let mut receipt = receipt.clone();
    change(&mut receipt);
    Bundle::new(receipt, bundle.opening.clone(), &keys().executor)
}

fn failing(bundle: &Bundle) -> Vec<String> {
    let (report, _) = bundle.verify(None);
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

/// The least of a charge that is left after a fee of 5 %.
fn net(atomic: u128) -> u128 {
    atomic * 950_000
}

/// A release for a cent a call that calls `fold`, `plain` and `zip` as often as its argument says.
fn top(name: &str, parts: &[&PackageFiles], zip: &str) -> PackageFiles {
    let terms = format!(
        "[dependencies]\n\"lab:fold\" = {{ version = \"1\" }}\n\"lab:plain\" = {{ version = \"1\" }}\n\
         \"lab:zip\" = {{ version = \"1\", {zip} }}\n\n[splits]\ndependencies = 2000\n\n{}{SECURITY}{}",
        each("0.01"),
        payee("ana")
    );
    let package = often(name, parts, &terms);
    let manifest = package.manifest.replace("import = true", "import = true\nfuel-max = 3_000_000");
    PackageFiles { manifest, ..package }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dependency_charges_is_quoted_paid_and_split_by_its_own_terms() {
    let stage = Stage::without_sweep().await;
    let (fold, plain, zip) = (fold(), leaf("plain", &payee("pam")), zip());
    let parts = [&fold, &plain, &zip];
    for part in parts {
        publish(&stage, part, &[]).await;
    }
    let top = top("top", &parts, "calls-max = 16");
    publish(&stage, &top, &parts).await;

    // Three million units of fuel at the most, of which `fold` may burn all.
    let quote = stage.get("/v1/quote/lab/top/1.0.0/run").await.json();
    let most: Vec<_> = quote["lines"].as_array().unwrap().iter().collect();
    assert_eq!(quote["max"]["amount"], "41600", "{quote}");
    assert_eq!((&most[0]["max"]["amount"], &most[0]["dependency"]), (&json!("10000"), &json!(null)));
    assert_eq!(
        (&most[1]["dependency"], &most[1]["max"]["amount"]),
        (&json!("lab:fold@1.0.0"), &json!("30000"))
    );
    assert_eq!((&most[2]["dependency"], &most[2]["quantity"]), (&json!("lab:zip@1.0.0"), &json!(16)));
    let shell = Shell::new(&stage.url);
    assert_eq!(shell.ok(&["quote", "lab:top", "run"])["lines"], quote["lines"]);
    let asked = stage.post(&path("top"), &json!({ "args": [12] })).await;
    asked.assert_problem(402, "payment-required");
    let required = asked.required();
    assert!(required.accepts.iter().all(|offer| offer.amount().unwrap() == Atomic(41_600)));
    let said = required.resource.description.unwrap();
    assert!(
        said.ends_with("with at most $0.03 for lab:fold@1.0.0, with at most $0.0016 for lab:zip@1.0.0"),
        "{said}"
    );
    let page = stage.get("/v1/packages/lab/top/1.0.0").await.json();
    assert_eq!(
        page["functions"][0]["price"], "$0.01 per call + at most $0.0316 for what it imports",
        "{page}"
    );

    let mut payer = Payer::with_channel(&stage, "payer").await;
    let names = ["ana", "fay", "pam", "zoe"];
    for (index, way) in ALL.into_iter().enumerate() {
        let (before, had) = (earned(&stage, names).await, worth(&stage, &payer).await);
        let n = 12 - index as u64;
        let order = payer.order_at(way, path("top"), json!({ "args": [n] }), &format!("{way:?}")).await;
        let reply = payer.pays(&order).await;
        stage.registry.reconcile().await;
        assert_eq!(reply.output(), n + 30 * n, "{way:?}");
        let (bundle, receipt) = reply.receipt();
        let fuel = |name: &str| {
            let release = format!("lab:{name}@1.0.0");
            receipt
                .inner
                .iter()
                .filter(|node| node.release.to_string() == release)
                .map(|node| node.fuel)
                .sum()
        };
        let (burnt, calls): (u64, _) = (fuel("fold"), u128::from(n) * 100);
        let work = u128::from(burnt * 1_000).div_ceil(100_000);
        let expected = vec![
            (None, 1, 10_000),
            (Some("lab:fold@1.0.0".to_owned()), burnt, work),
            (Some("lab:zip@1.0.0".to_owned()), n, calls),
        ];
        assert_eq!(lines(&receipt), expected, "{way:?}");
        assert_eq!(charged(&reply), 10_000 + work + calls);
        assert_eq!(had - worth(&stage, &payer).await, 10_000 + work + calls, "{way:?}");
        // One unpriced dependency has half of the pool at most; what has a price has no part in it.
        let pool = net(10_000) * 2_000 / 10_000;
        let shares = [net(10_000) - pool / 2, net(work), pool / 2, net(calls)];
        let after = earned(&stage, names).await;
        assert_eq!(std::array::from_fn(|at| after[at] - before[at]), shares, "{way:?}");
        assert_eq!(
            receipt.split.iter().map(|share| share.amount).sum_pico(),
            receipt.charge.amount.to_pico()
        );
        assert!(again(&bundle, &receipt, &top, &parts).await.is_empty(), "{way:?}");
    }
    stage.assert_sound().await;
}

/// Adds amounts up.
trait SumPico {
    fn sum_pico(self) -> Pico;
}

impl<I: Iterator<Item = Pico>> SumPico for I {
    fn sum_pico(self) -> Pico {
        Pico(self.map(|amount| amount.0).sum())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_bundle_alone_finds_every_changed_number() {
    let stage = Stage::without_sweep().await;
    let (fold, plain, zip) = (fold(), leaf("plain", &payee("pam")), zip());
    let parts = [&fold, &plain, &zip];
    for part in parts {
        publish(&stage, part, &[]).await;
    }
    let kind = top("kind", &parts, "calls-max = 16, absorb = true");
    let top = top("top", &parts, "calls-max = 16");
    publish(&stage, &top, &parts).await;
    publish(&stage, &kind, &parts).await;
    let buyer = stage.buyer("payer", 1).await;
    let shell = Shell::new(&stage.url);
    let folder = shell.folder.path();
    let write = |name: &str, bundle: &Bundle| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, serde_json::to_vec(bundle).unwrap()).unwrap();
        path
    };
    for (name, package) in [("top", &top), ("kind", &kind)] {
        let reply = buyer.pay(&path(name), json!([12]), name).await;
        let (bundle, receipt) = reply.receipt();
        sweep(&stage).await;
        let logged = complete(&stage, &bundle).await;
        let file = write(&format!("{name}.json"), &logged);
        shell.ok(&["verify", &format!("{name}.json")]);
        let (agrees, said) = stranger(&[&file]).await;
        assert!(agrees, "{said}");

        type Change = fn(&mut Receipt);
        let last = receipt.split.len() - 1;
        let mut changes: Vec<(Change, &str)> = vec![
            (|receipt| receipt.charge.lines[1].amount.0 += 1, "charge"),
            (|receipt| receipt.charge.lines[1].quantity += 1, "charge"),
            (|receipt| receipt.charge.lines[1].dependency = None, "charge"),
            (|receipt| receipt.charge.amount.0 -= 1, "charge"),
            (|receipt| receipt.inner[0].fuel /= 2, "charge"),
            (|receipt| receipt.split.truncate(3), "split"),
            (|receipt| receipt.split[0].amount.0 += 1, "split"),
            (|receipt| receipt.fee_bps += 1, "split"),
            (|receipt| receipt.payment.as_mut().unwrap().refund.0 += 1, "payment"),
            (|receipt| receipt.payment.as_mut().unwrap().amount.0 += 1, "payment"),
        ];
        if name == "top" {
            changes.push((|receipt| receipt.inner[2].calls += 1, "charge"));
            changes.push((|receipt| receipt.dependencies[2].functions.clear(), "payment"));
        } else {
            // The caller does not pay for them, and somebody else earns less.
            changes.push((|receipt| receipt.inner[2].calls += 1, "split"));
        }
        for (index, (change, fails)) in changes.into_iter().enumerate() {
            let changed = forged(&bundle, &receipt, change);
            assert!(
                failing(&changed).iter().any(|name| name == fails),
                "{name} {index}: {:?}",
                failing(&changed)
            );
            let (agrees, said) = stranger(&[&write("forged.json", &changed)]).await;
            assert!(!agrees && said.contains(fails), "{name} {index}: {said}");
        }
        let swapped = forged(&bundle, &receipt, |receipt| {
            receipt.split[1].amount.0 -= 1;
            receipt.split[last].amount.0 += 1;
        });
        assert_eq!(failing(&swapped), ["split"]);
        // What is not imported can be no reason for asking more.
        let mut more = receipt.clone();
        more.dependencies[0].functions.push("lab:fold/ops@1.0.0#walk".parse().unwrap());
        let bundle_of_more = forged(&bundle, &more, |_| {});
        assert_eq!(again(&bundle_of_more, &more, package, &parts).await, ["re-execution"]);
        for digest in bundle.opening.works.keys() {
            let mut without = bundle.clone();
            without.opening.works.remove(digest);
            assert!(!failing(&without).is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absorbed_is_paid_by_the_release() {
    let stage = Stage::without_sweep().await;
    let (fold, plain, zip) = (fold(), leaf("plain", &payee("pam")), zip());
    let parts = [&fold, &plain, &zip];
    for part in parts {
        publish(&stage, part, &[]).await;
    }
    let kind = top("kind", &parts, "calls-max = 16, absorb = true");
    publish(&stage, &kind, &parts).await;
    let quote = stage.get("/v1/quote/lab/kind/1.0.0/run").await.json();
    assert_eq!(quote["max"]["amount"], "40000", "{quote}");
    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.pay(&path("kind"), json!([12]), "first").await;
    let (bundle, receipt) = reply.receipt();
    assert_eq!(
        lines(&receipt).iter().map(|(release, ..)| release.clone()).collect::<Vec<_>>(),
        [None, Some("lab:fold@1.0.0".into())]
    );
    let rest = net(10_000) - 1_200_000_000;
    let pool = rest * 2_000 / 10_000;
    let [ana, pam, zoe] = earned(&stage, ["ana", "pam", "zoe"]).await;
    assert_eq!([ana, pam, zoe], [rest - pool / 2, pool / 2, net(1_200)]);
    assert!(again(&bundle, &receipt, &kind, &parts).await.is_empty());

    // What would not be covered is not published: whoever calls, and however often it calls.
    let refused = async |package: &PackageFiles| {
        let mut pins: Vec<Pinned> = parts.iter().map(|part| pin(part)).collect();
        pins.sort();
        send(&stage, package, pins).await.assert_problem(422, "absorb-uncovered");
    };
    refused(&top("dear", &parts, "calls-max = 86, absorb = true")).await;
    let free = top("free", &parts, "calls-max = 16, absorb = true");
    let quota = "amount = \"0.01\"\nfree = { quantity = 1 }";
    refused(&PackageFiles { manifest: free.manifest.replace("amount = \"0.01\"", quota), ..free }).await;
    // Nor does it become so cheap.
    let package = Package::check(kind.clone()).unwrap();
    let mut pins: Vec<Pinned> = parts.iter().map(|part| pin(part)).collect();
    pins.sort();
    let change = |amount: u128| {
        let release = Release { dependencies: pins.clone(), ..package.statement() };
        let mut terms = Terms::of(&package.manifest);
        terms.price[0].amount = Atomic(amount);
        TermsChange::new(&release, release.terms, terms).sign(&publisher())
    };
    let terms = "/v1/packages/lab/kind/1.0.0/terms";
    act(&stage, terms, change(1_882)).await.assert_problem(422, "absorb-uncovered");
    assert_eq!(act(&stage, terms, change(1_883)).await.status, 201);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_release_with_a_priced_dependency_takes_a_payment() {
    let stage = Stage::without_sweep().await;
    let zip = zip();
    publish(&stage, &zip, &[]).await;
    let bound = "[dependencies]\n\"lab:zip\" = { version = \"1\", calls-max = 3 }\n\n";
    let gift = often("gift", &[&zip], bound);
    // Free for whoever asks, were it not for what it imports.
    let shared = each("0.01").replace("\n\n", "\nfree = { quantity = 9, scope = \"anonymous\" }\n\n");
    let shared = often("shared", &[&zip], &format!("{bound}{shared}{SECURITY}{}", payee("ana")));
    // Two levels, and bounds on the way.
    let above =
        often("above", &[&gift], "[dependencies]\n\"lab:gift\" = { version = \"1\", calls-max = 2 }\n\n");
    for (package, imports) in [(&gift, vec![&zip]), (&shared, vec![&zip]), (&above, vec![&gift])] {
        publish(&stage, package, &imports).await;
    }
    for (name, amount) in [("gift", "300"), ("shared", "10300"), ("above", "600")] {
        let asked = stage.post(&path(name), &json!({ "args": [1] })).await;
        asked.assert_problem(402, "payment-required");
        let quote = stage.get(&format!("/v1/quote/lab/{name}/1.0.0/run")).await.json();
        assert_eq!(quote["max"]["amount"], amount, "{name}");
    }
    let buyer = stage.buyer("payer", 1).await;
    let had = stage.balance(buyer.wallet.address()).await;
    let reply = buyer.pay(&path("gift"), json!([2]), "gift").await;
    assert_eq!((reply.output(), charged(&reply)), (json!(22), 200));
    assert_eq!(earned(&stage, ["zoe"]).await, [net(200)]);
    // Called through another, it is the caller's all the same.
    let reply = buyer.pay(&path("above"), json!([1]), "above").await;
    let (_, receipt) = reply.receipt();
    assert_eq!((lines(&receipt).len(), charged(&reply)), (1, 100));
    assert_eq!(receipt.inner.len(), 2);
    stage.registry.reconcile().await;
    assert_eq!(had - stage.balance(buyer.wallet.address()).await, 300);
    // Nothing is charged that was not called.
    assert_eq!(charged(&buyer.pay(&path("gift"), json!([0]), "none").await), 0);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_were_quoted_fail_and_what_cannot_be_bounded_is_refused() {
    let stage = Stage::without_sweep().await;
    let bytes = "[[price]]\nid = \"in\"\nunit = \"byte-in\"\namount = \"0.001\"\n\n";
    let minimum = PER_FUEL.replace("\n\n", "\nminimum = \"0.0002\"\n\n");
    let attempt = each("0.0001").replace("\n\n", "\ncharge-on = \"attempt\"\n\n");
    let zip = zip();
    let (bytes, minimum) = (charges("bytes", bytes, "bob"), charges("minimum", &minimum, "min"));
    let attempt = charges("attempt", &attempt, "ada");
    for part in [&zip, &bytes, &minimum, &attempt] {
        publish(&stage, part, &[]).await;
    }
    let bounded = |name: &str, calls: &str| {
        format!("[dependencies]\n\"lab:{name}\" = {{ version = \"1\"{calls} }}\n\n")
    };
    for (part, name, calls, code) in [
        (&bytes, "bytes", ", calls-max = 3", "dependency-unit"),
        (&zip, "zip", "", "dependency-unbounded"),
        (&minimum, "minimum", "", "dependency-unbounded"),
    ] {
        let problem = send(&stage, &often("it", &[part], &bounded(name, calls)), vec![pin(part)]).await;
        let problem = problem.assert_problem(422, code);
        assert!(problem["detail"].as_str().unwrap().contains(&format!("lab:{name}@1.0.0")), "{problem}");
    }
    let middle = often("middle", &[&zip], &bounded("zip", ", calls-max = 2"));
    publish(&stage, &middle, &[&zip]).await;
    let unbounded = on("it", &[&middle], &bounded("middle", ""));
    send(&stage, &unbounded, vec![pin(&middle)]).await.assert_problem(422, "dependency-unbounded");

    let three = often("three", &[&zip], &bounded("zip", ", calls-max = 3"));
    let tried = often("tried", &[&attempt], &bounded("attempt", ", calls-max = 3"));
    publish(&stage, &three, &[&zip]).await;
    publish(&stage, &tried, &[&attempt]).await;
    let buyer = stage.buyer("payer", 1).await;
    assert_eq!(charged(&buyer.pay(&path("three"), json!([3]), "as often as it may").await), 300);
    let reply = buyer.pay(&path("three"), json!([4]), "too often").await;
    let problem = reply.assert_problem(422, "guest-too-many-calls");
    assert!(problem["detail"].as_str().unwrap().contains("lab:zip@1.0.0"), "{problem}");
    assert_eq!(earned(&stage, ["zoe"]).await, [net(300)]);
    // Who is paid for attempts is paid for those that there were.
    let reply = buyer.pay(&path("tried"), json!([4]), "tried").await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "guest-too-many-calls"), "{}", reply.text);
    assert_eq!(reply.json()["charged"], "300");
    assert_eq!(earned(&stage, ["ada"]).await, [net(300)]);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_is_the_one_that_was_pinned() {
    let stage = Stage::without_sweep().await;
    let zip = zip();
    let terms = "[dependencies]\n\"lab:zip\" = { version = \"1\", calls-max = 3 }\n\n";
    let old = often("old", &[&zip], terms);
    publish(&stage, &zip, &[]).await;
    publish(&stage, &old, &[&zip]).await;
    // A later version for more, and the pinned one for less.
    let dear = leaf_at("zip", "1.0.1", &format!("{}{SECURITY}{}", each("0.5"), payee("eve")));
    publish(&stage, &dear, &[]).await;
    let package = Package::check(zip.clone()).unwrap();
    let release = package.statement();
    let reprice = async |amount| {
        let mut terms = Terms::of(&package.manifest);
        terms.price[0].amount = Atomic(amount);
        let change = TermsChange::new(&release, release.terms, terms).sign(&publisher());
        act(&stage, "/v1/packages/lab/zip/1.0.0/terms", change).await
    };
    reprice(101).await.assert_problem(422, "terms-dearer");
    assert_eq!(reprice(50).await.status, 201);
    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.pay(&path("old"), json!([2]), "old").await;
    assert_eq!(charged(&reply), 200);
    let (bundle, receipt) = reply.receipt();
    assert!(receipt.links(&[pin(&zip)]));
    assert!(failing(&bundle).is_empty());
    // Whoever publishes anew has the new price.
    let standing = stage.get("/v1/log/standing/lab:zip").await.json()["standing"]["terms"]["1.0.0"].clone();
    let new = Pinned { terms: serde_json::from_value(standing).unwrap(), ..pin(&zip) };
    let sent: Reply = send(&stage, &often("new", &[&zip], terms), vec![new]).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!(charged(&buyer.pay(&path("new"), json!([2]), "new").await), 100);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_and_its_budgets_count_the_whole_price() {
    let policy = "[allow]\nprice = \"0.0002\"\n[budget]\naccount-month = \"0.0006\"\n";
    let stage = Stage::of_company(policy).await;
    let zip = zip();
    publish(&stage, &zip, &[]).await;
    let bound =
        |most: u32| format!("[dependencies]\n\"lab:zip\" = {{ version = \"1\", calls-max = {most} }}\n\n");
    publish(&stage, &often("two", &[&zip], &bound(2)), &[&zip]).await;
    publish(&stage, &often("three", &[&zip], &bound(3)), &[&zip]).await;
    let agent = crate::company::Agent::new(&stage, "ci-bot").await;
    let call = async |name: &str, n: u32| agent.post(&path(name), &json!({ "args": [n] })).await;
    crate::company::refused(&call("three", 1).await, "allow.price");
    for (n, cost) in [(1, 100), (2, 200), (0, 0), (2, 200)] {
        assert_eq!(charged(&call("two", n).await), cost, "{n} calls");
    }
    // A dollar's ten-thousandth is left, and twice that may be asked for.
    crate::company::refused(&call("two", 1).await, "budget.account-month");
    stage.assert_sound().await;
}
