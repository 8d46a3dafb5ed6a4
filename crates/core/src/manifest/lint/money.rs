//! Rules about prices, plans, offers, grants, and who is paid.

use super::{Check, Rule, clip, first, twice, when};
use crate::limits;
use crate::manifest::price::one;
use crate::manifest::{
    ChargeOn, Free, FreeScope, Grant, Inclusion, Manifest, Period, Place, PlanKind, Price, PricedAct,
    SCHEMES, Unit,
};
use crate::money::Atomic;

/// Shorthand for a rule about each price.
macro_rules! each_price {
    ($id:literal, $holds:literal, $fix:literal, $broken:expr) => {
        Rule {
            id: $id,
            holds: $holds,
            fix: $fix,
            check: Check::Manifest(|manifest| {
                let broken: fn(&Manifest, &Price) -> bool = $broken;
                let price = manifest.price.iter().find(|price| broken(manifest, price))?;
                Some(format!("price `{}` breaks it: {}", clip(&price.id), $holds))
            }),
        }
    };
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "items-max",
        holds: "There are at most 64 each of prices, payees, plans, offers, grants, discounts and editions.",
        fix: "merge some",
        check: Check::Manifest(|manifest| {
            let counts = [
                ("prices", manifest.price.len(), limits::PRICES_MAX),
                ("payees", manifest.payee.len(), limits::PAYEES_MAX),
                ("plans", manifest.plan.len(), limits::PRICES_MAX),
                ("offers", manifest.offer.len(), limits::PRICES_MAX),
                ("grants", manifest.grant.len(), limits::PRICES_MAX),
                ("discounts", manifest.discount.len(), limits::PRICES_MAX),
                ("editions", manifest.edition.len(), limits::PRICES_MAX),
            ];
            first(counts, |(what, count, max)| {
                when(count > max, || format!("there are more than {max} {what}"))
            })
        }),
    },
    Rule {
        id: "id-form",
        holds: "Ids of prices, plans, offers, grants and editions are words of a-z, 0-9, `-` and `_`.",
        fix: "rename it, such as id = \"each-call\"",
        check: Check::Manifest(|manifest| {
            first(all_ids(manifest), |id| {
                let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
                let good = (1..=limits::ID_BYTES_MAX).contains(&id.len()) && id.chars().all(word);
                when(!good, || format!("`{}` is not an id", clip(id)))
            })
        }),
    },
    Rule {
        id: "id-unique",
        holds: "No two prices have one id; nor have two plans, offers or grants.",
        fix: "give each its own id",
        check: Check::Manifest(|manifest| {
            let kinds: [(&str, Vec<&str>); 4] = [
                ("price", manifest.price.iter().map(|price| price.id.as_str()).collect()),
                ("plan", manifest.plan.iter().map(|plan| plan.id.as_str()).collect()),
                ("offer", manifest.offer.iter().map(|offer| offer.id.as_str()).collect()),
                ("grant", manifest.grant.iter().map(|grant| grant.id.as_str()).collect()),
            ];
            first(kinds, |(kind, ids)| {
                twice(ids).map(|id| format!("the {kind} id `{}` stands twice", clip(id)))
            })
        }),
    },
    Rule {
        id: "amount-zero",
        holds: "Amounts are above 0, but for those of offers.",
        fix: "remove the price: what has none is free",
        check: Check::Manifest(|manifest| {
            let prices = manifest.price.iter().flat_map(|price| {
                let steps = price.tiers.iter().flat_map(|tiers| &tiers.steps).map(|step| step.amount);
                steps.chain([price.amount]).map(|amount| ("price", &price.id, amount))
            });
            let plans = manifest.plan.iter().map(|plan| ("plan", &plan.id, plan.amount));
            let bounties =
                manifest.contributor_bounty.iter().map(|bounty| ("bounty", &bounty.label, bounty.amount));
            first(prices.chain(plans).chain(bounties), |(kind, id, amount)| {
                when(amount == Atomic::ZERO, || format!("{kind} `{}` has the amount 0", clip(id)))
            })
        }),
    },
    each_price!(
        "price-per",
        "`per` counts fuel, bytes, seconds or events; a price per call or download has none.",
        "remove `per`",
        |_, price| matches!(price.unit, Unit::Call | Unit::Download) && price.per != one()
    ),
    each_price!(
        "price-unit",
        "a download, also of the source, is counted in downloads: on = \"download\" and unit = \"download\" go together.",
        "calls have unit = \"call\", \"fuel\", \"byte-in\", \"byte-out\", \"second\" or \"event:NAME\"; on = \"download\" \
         and unit = \"download\" go together",
        |_, price| (price.on == PricedAct::Execute) == (price.unit == Unit::Download)
    ),
    each_price!(
        "price-download-keys",
        "a price for downloads has no key that is for calls.",
        "remove `export`, `minimum`, `max-per-call`, `charge-on`, `free` and `tiers`: a download has an amount and \
         nothing else",
        |_, price| {
            let is_plain = price.export.is_none()
                && price.minimum.is_none()
                && price.max_per_call.is_none()
                && price.free.is_none()
                && price.tiers.is_none()
                && price.charge_on == ChargeOn::Success;
            price.on != PricedAct::Execute && !is_plain
        }
    ),
    each_price!(
        "price-download-place",
        "a price for downloads needs execute = [\"local\"].",
        "write execute = [\"remote\", \"local\"], or remove the price",
        |manifest, price| price.on == PricedAct::Download
            && !manifest.component.execute.contains(&Place::Local)
    ),
    each_price!("price-bounds", "`minimum` is not above `max-per-call`.", "swap them", |_, price| price
        .max_per_call
        .is_some_and(|max| price.minimum.unwrap_or(Atomic::ZERO) > max)),
    each_price!(
        "price-event",
        "an event is a word of a-z, 0-9 and `-` that starts with a letter.",
        "write unit = \"event:row\", with the name that the component reports",
        |_, price| matches!(&price.unit, Unit::Event(name) if !is_event_name(name))
    ),
    each_price!(
        "price-event-max",
        "a price per event has `max-per-call`: nothing else bounds what a component reports.",
        "add max-per-call = \"0.10\"",
        |_, price| matches!(price.unit, Unit::Event(_)) && price.max_per_call.is_none()
    ),
    each_price!(
        "tiers-ascending",
        "the steps of `tiers` ascend, and the last, and no other, has no `up-to`.",
        "write steps = [{ up-to = 10000, amount = \"0.002\" }, { amount = \"0.001\" }]",
        |_, price| {
            let Some(tiers) = &price.tiers else { return false };
            let Some((last, steps)) = tiers.steps.split_last() else { return true };
            let ends: Vec<u64> = steps.iter().filter_map(|step| step.up_to).collect();
            let ascending = ends.len() == steps.len()
                && ends.first().is_none_or(|first| *first > 0)
                && ends.windows(2).all(|pair| pair[0] < pair[1]);
            last.up_to.is_some() || !ascending || steps.len() >= limits::TIER_STEPS_MAX
        }
    ),
    each_price!(
        "tiers-period",
        "`free` and `tiers` of one price count in the same period.",
        "leave `period` out of `tiers`",
        |_, price| {
            let tiers = price.tiers.as_ref().and_then(|tiers| tiers.period);
            let free = price.free.as_ref().map(|free| free.period);
            tiers.is_some() && free.is_some() && tiers != free
        }
    ),
    each_price!("free-quantity", "`quantity` of `free` is above 0.", "remove `free`", |_, price| matches!(
        price.free,
        Some(Free { quantity: 0, .. })
    )),
    Rule {
        id: "free-anonymous",
        holds: "Free units for callers without a payment, who share them, are of a price per call without tiers.",
        fix: "write scope = \"payer\", or give the price unit = \"call\"",
        check: Check::Manifest(|manifest| {
            let anonymous = |price: &&Price| {
                matches!(price.free, Some(Free { scope: FreeScope::Anonymous, .. }))
                    && (price.unit != Unit::Call || price.tiers.is_some())
            };
            let price = manifest.price.iter().find(anonymous)?;
            Some(format!(
                "price `{}` gives free units to everybody, and does not just count calls",
                clip(&price.id)
            ))
        }),
    },
    Rule {
        id: "discount-price",
        holds: "A discount names a price of calls and takes off 1 to 100 hundredths.",
        fix: "write price = \"ID\" and percent = 40",
        check: Check::Manifest(|manifest| {
            first(&manifest.discount, |discount| {
                let good = (1..=100).contains(&discount.percent) && prices_calls(manifest, &discount.price);
                when(!good, || format!("the discount on `{}` is on nothing", clip(&discount.price)))
            })
        }),
    },
    Rule {
        id: "discount-time",
        holds: "A discount has a `window`, or `from` and `until` with the first not after the last.",
        fix: "write window = \"22:00-06:00Z\", or from = 2026-12-01 and until = 2026-12-31",
        check: Check::Manifest(|manifest| {
            first(&manifest.discount, |discount| {
                let days = (discount.from, discount.until);
                let timed = discount.window.is_some() || days.0.is_some() || days.1.is_some();
                let ordered = days.0.is_none_or(|from| days.1.is_none_or(|until| from <= until));
                when(!timed || !ordered, || {
                    format!("the discount on `{}` has no time that comes", clip(&discount.price))
                })
            })
        }),
    },
    Rule {
        id: "grant-prices",
        holds: "A grant names prices of calls and takes off 1 to 100 hundredths.",
        fix: "write prices = [\"ID\"] and percent-off = 100",
        check: Check::Manifest(|manifest| {
            first(&manifest.grant, |grant| {
                let good = (1..=100).contains(&grant.percent_off)
                    && !grant.prices.is_empty()
                    && grant.prices.iter().all(|price| prices_calls(manifest, price));
                when(!good, || format!("grant `{}` lowers nothing", clip(&grant.id)))
            })
        }),
    },
    Rule {
        id: "grant-quota",
        holds: "A grant's quota counts either calls or fuel, above 0, in what its prices count.",
        fix: "write quota = { calls = 1000, period = \"month\" } for prices per call, `fuel` for prices per fuel",
        check: Check::Manifest(|manifest| {
            first(&manifest.grant, |grant| {
                when(!quota_fits(manifest, grant), || {
                    format!("grant `{}` has a quota that its prices do not count", clip(&grant.id))
                })
            })
        }),
    },
    Rule {
        id: "plan-includes",
        holds: "A plan includes editions and prices that there are.",
        fix: "name an [edition.NAME] or the id of a [[price]]",
        check: Check::Manifest(|manifest| {
            let included = manifest.plan.iter().flat_map(|plan| &plan.includes);
            first(included, |inclusion| {
                let known = match inclusion {
                    Inclusion::Edition(name) => manifest.edition.contains_key(name),
                    Inclusion::Execute(Some(price)) => prices_calls(manifest, price),
                    Inclusion::Execute(None) | Inclusion::Download => true,
                };
                when(!known, || format!("`{inclusion}` is included, and there is none"))
            })
        }),
    },
    Rule {
        id: "plan-quota",
        holds: "A plan's quota is above 0 calls, and its `overage-price` a price of calls.",
        fix: "name the id of a [[price]]",
        check: Check::Manifest(|manifest| {
            first(&manifest.plan, |plan| {
                let quota = plan.quota.as_ref()?;
                let known = quota.overage_price.as_ref().is_none_or(|price| prices_calls(manifest, price));
                when(quota.calls == 0 || !known, || format!("plan `{}` has no usable quota", clip(&plan.id)))
            })
        }),
    },
    Rule {
        id: "plan-support",
        holds: "A plan of on = \"support\" has an `sla`, and one of on = \"subscribe\" includes something.",
        fix: "add sla = { response = \"PT4H\", credit = 2500 }, or includes = [\"execute:*\"]",
        check: Check::Manifest(|manifest| {
            first(&manifest.plan, |plan| {
                let empty = match plan.on {
                    PlanKind::Support => plan.sla.is_none(),
                    PlanKind::Subscribe => plan.includes.is_empty(),
                };
                when(empty, || format!("plan `{}` gives its holder nothing", clip(&plan.id)))
            })
        }),
    },
    Rule {
        id: "plan-period",
        holds: "A plan lasts a month or a year.",
        fix: "write period = \"month\"",
        check: Check::Manifest(|manifest| {
            let daily = manifest.plan.iter().find(|plan| plan.period == Period::Day)?;
            Some(format!("plan `{}` lasts a day", clip(&daily.id)))
        }),
    },
    Rule {
        id: "sla-credit",
        holds: "An SLA promises something, and gives back 1 to 10,000 basis points where it is broken.",
        fix: "write sla = { uptime = \"99.9\", credit = 2500 }",
        check: Check::Manifest(|manifest| {
            first(&manifest.plan, |plan| {
                let sla = plan.sla.as_ref()?;
                let promises = sla.response.is_some() || sla.fix_critical.is_some() || sla.uptime.is_some();
                when(!promises || !(1..=10_000).contains(&sla.credit), || {
                    format!("the SLA of plan `{}` promises nothing", clip(&plan.id))
                })
            })
        }),
    },
    Rule {
        id: "offer-sale",
        holds: "An offer that costs something says what it is sold with, and one that is free does not.",
        fix: "write on = \"download\" and unit = \"copy\", or amount = \"0\" and neither",
        check: Check::Manifest(|manifest| {
            first(&manifest.offer, |offer| {
                when((offer.amount > Atomic::ZERO) != offer.on.is_some(), || {
                    format!("offer `{}` is neither sold nor free", clip(&offer.id))
                })
            })
        }),
    },
    Rule {
        id: "payee-id",
        holds: "A payee's id is printable ASCII without spaces, of at most 256 bytes.",
        fix: "use a did:, acct: or github: id, or a chain address",
        check: Check::Manifest(|manifest| {
            first(&manifest.payee, |payee| {
                let good = (1..=limits::PAYEE_ID_BYTES_MAX).contains(&payee.id.len())
                    && payee.id.chars().all(|c| c.is_ascii_graphic());
                when(!good, || format!("`{}` is not a payee id", clip(&payee.id)))
            })
        }),
    },
    Rule {
        id: "payee-unique",
        holds: "No payee stands twice.",
        fix: "add their shares up",
        check: Check::Manifest(|manifest| {
            let twice = twice(manifest.payee.iter().map(|payee| payee.id.as_str()))?;
            Some(format!("the payee `{}` stands twice", clip(twice)))
        }),
    },
    Rule {
        id: "payee-share",
        holds: "Every payee has a share.",
        fix: "remove the payee",
        check: Check::Manifest(|manifest| {
            let none = manifest.payee.iter().find(|payee| payee.share == 0)?;
            Some(format!("the payee `{}` has no share", clip(&none.id)))
        }),
    },
    Rule {
        id: "payees-sum",
        holds: "The payees' shares sum to 10,000.",
        fix: "shares are basis points and sum to 10000",
        check: Check::Manifest(|manifest| {
            let shares: u64 = manifest.payee.iter().map(|payee| u64::from(payee.share)).sum();
            when(!manifest.payee.is_empty() && shares != 10_000, || {
                format!("the payees' shares sum to {shares}")
            })
        }),
    },
    Rule {
        id: "price-payee",
        holds: "What costs something has a payee.",
        fix: "add [[payee]] with id = \"did:key:…\" and share = 10000; `glassbox key show` prints your id",
        check: Check::Manifest(|manifest| {
            when(is_priced(manifest) && manifest.payee.is_empty(), || {
                "there is a price and nobody to pay".into()
            })
        }),
    },
    Rule {
        id: "price-security",
        holds: "What costs something has [security].",
        fix: "add [security] with contact = \"security@…\" and support-until = 2029-12-31",
        check: Check::Manifest(|manifest| {
            when(is_priced(manifest) && manifest.security.is_none(), || {
                "there is a price and no [security]".into()
            })
        }),
    },
    Rule {
        id: "tips-payee",
        holds: "Who accepts tips has a payee, or says where else to give.",
        fix: "add [[payee]], or funding = \"https://…/funding.json\"",
        check: Check::Manifest(|manifest| {
            let tips = manifest.tips.as_ref()?;
            when(tips.accept && manifest.payee.is_empty() && tips.funding.is_none(), || {
                "tips are accepted, and there is nobody to give them to".into()
            })
        }),
    },
    Rule {
        id: "currency",
        holds: "`currency` is \"USD\".",
        fix: "write currency = \"USD\"",
        check: Check::Manifest(|manifest| {
            let currency = &manifest.settlement.currency;
            when(currency != "USD", || format!("the currency `{}` is not supported", clip(currency)))
        }),
    },
    Rule {
        id: "accepts",
        holds: "`accepts` names ways to pay that are supported.",
        fix: "leave it out, or name some of \"x402:exact\", \"x402:upto\", \"x402:batch-settlement\", \"credits\" and \
              \"invoice\"",
        check: Check::Manifest(|manifest| {
            let accepts = &manifest.settlement.accepts;
            let bad = accepts.is_empty() || !accepts.iter().all(|way| is_way_to_pay(way));
            when(bad, || "`accepts` names a way to pay that is not supported".into())
        }),
    },
    Rule {
        id: "monthly-cap",
        holds: "`max-monthly-per-payer` is above 0.",
        fix: "remove it, or remove the prices",
        check: Check::Manifest(|manifest| {
            when(manifest.settlement.max_monthly_per_payer == Some(Atomic::ZERO), || {
                "nobody would pay anything".into()
            })
        }),
    },
];

/// Tells whether `way` is one in which a release may be paid.
fn is_way_to_pay(way: &str) -> bool {
    if matches!(way, "credits" | "invoice") {
        return true;
    }
    let way = way.strip_prefix("x402:").unwrap_or_default();
    let (scheme, network) =
        way.split_once(':').map_or((way, None), |(scheme, network)| (scheme, Some(network)));
    SCHEMES.contains(&scheme) && network != Some("")
}

fn is_priced(manifest: &Manifest) -> bool {
    let sold = manifest.offer.iter().any(|offer| offer.amount > Atomic::ZERO);
    sold || !manifest.price.is_empty() || !manifest.plan.is_empty()
}

fn prices_calls(manifest: &Manifest, id: &str) -> bool {
    manifest.price.iter().any(|price| price.id == id && price.on == PricedAct::Execute)
}

fn is_event_name(name: &str) -> bool {
    name.len() <= limits::ID_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn all_ids(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let prices = manifest.price.iter().map(|price| price.id.as_str());
    let plans = manifest.plan.iter().map(|plan| plan.id.as_str());
    let offers = manifest.offer.iter().map(|offer| offer.id.as_str());
    let grants = manifest.grant.iter().map(|grant| grant.id.as_str());
    let editions = manifest.edition.keys().map(String::as_str);
    prices.chain(plans).chain(offers).chain(grants).chain(editions)
}

fn quota_fits(manifest: &Manifest, grant: &Grant) -> bool {
    let Some(quota) = &grant.quota else { return true };
    let unit = match (quota.calls, quota.fuel) {
        (Some(1..), None) => Unit::Call,
        (None, Some(1..)) => Unit::Fuel,
        _ => return false,
    };
    let granted = |price: &&Price| grant.prices.contains(&price.id);
    manifest.price.iter().filter(granted).all(|price| price.unit == unit)
}
