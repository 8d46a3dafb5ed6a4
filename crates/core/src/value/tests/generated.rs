//! Values generated from generated types survive every notation.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::value::{Case, Field, FunctionType, Param, Type, Value, binary, json, schema, wave};

/// Names as WIT has them, keywords of WAVE among them.
fn names(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    let name =
        prop_oneof!["[a-z][a-z0-9]{0,5}(-[a-z][a-z0-9]{0,3})?", Just("none".into()), Just("true".into())];
    btree_set(name, count).prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

fn scalar() -> impl Strategy<Value = Type> {
    proptest::sample::select(vec![
        Type::Bool,
        Type::S8,
        Type::U8,
        Type::S16,
        Type::U16,
        Type::S32,
        Type::U32,
        Type::S64,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
    ])
}

/// Any type; `maps` says whether maps may be in it.
fn any_type(maps: bool) -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        8 => scalar(),
        1 => names(1..12).prop_map(Type::Enum),
        1 => names(1..20).prop_map(Type::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let maybe = proptest::option::of(inner.clone().prop_map(Box::new));
        let named = |count| {
            (names(count), vec(inner.clone(), 4)).prop_map(|(names, types)| names.into_iter().zip(types))
        };
        let cases = (names(1..5), vec(proptest::option::of(inner.clone()), 5));
        let mut types = vec![
            inner.clone().prop_map(|ty| Type::List(Box::new(ty))).boxed(),
            (inner.clone(), 1..4_u32).prop_map(|(ty, len)| Type::FixedList(Box::new(ty), len)).boxed(),
            inner.clone().prop_map(|ty| Type::Option(Box::new(ty))).boxed(),
            (maybe.clone(), maybe).prop_map(|(ok, err)| Type::Result { ok, err }).boxed(),
            vec(inner.clone(), 1..4).prop_map(Type::Tuple).boxed(),
            named(1..5)
                .prop_map(|fields| Type::Record(fields.map(|(name, ty)| Field { name, ty }).collect()))
                .boxed(),
            cases
                .prop_map(|(names, types)| {
                    Type::Variant(names.into_iter().zip(types).map(|(name, ty)| Case { name, ty }).collect())
                })
                .boxed(),
        ];
        if maps {
            let map = (scalar(), inner).prop_map(|(key, ty)| Type::Map(Box::new(key), Box::new(ty)));
            types.push(map.boxed());
        }
        Union::new(types)
    })
}

fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::S64 => any::<i64>().prop_map(Value::S64).boxed(),
        Type::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        // All bit patterns: infinities, subnormals and every NaN.
        Type::F32 => any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))).boxed(),
        Type::F64 => any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))).boxed(),
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::List(element) if **element == Type::U8 => {
            vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed()
        }
        Type::FixedList(element, len) if **element == Type::U8 => {
            vec(any::<u8>(), *len as usize).prop_map(Value::Bytes).boxed()
        }
        Type::List(element) => vec(any_value(element), 0..4).prop_map(Value::List).boxed(),
        Type::FixedList(element, len) => vec(any_value(element), *len as usize).prop_map(Value::List).boxed(),
        Type::Map(key, value) => {
            let key_ty = key.clone();
            vec((any_value(key), any_value(value)), 0..4)
                .prop_map(move |entries| Value::map(&key_ty, entries).expect("keys of the key's type"))
                .boxed()
        }
        Type::Record(fields) => each(fields.iter().map(|field| &field.ty)).prop_map(Value::Record).boxed(),
        Type::Tuple(types) => each(types.iter()).prop_map(Value::Tuple).boxed(),
        Type::Variant(cases) => {
            let cases = cases.iter().enumerate().map(|(case, Case { ty, .. })| {
                payload(ty.as_ref())
                    .prop_map(move |payload| Value::Variant { case: case as u32, payload })
                    .boxed()
            });
            Union::new(cases).boxed()
        }
        Type::Enum(names) => (0..names.len() as u32).prop_map(Value::Enum).boxed(),
        Type::Option(some) => {
            prop_oneof![Just(Value::Option(None)), payload(Some(some)).prop_map(Value::Option)].boxed()
        }
        Type::Result { ok, err } => prop_oneof![
            payload(ok.as_deref()).prop_map(|ok| Value::Result(Ok(ok))),
            payload(err.as_deref()).prop_map(|err| Value::Result(Err(err))),
        ]
        .boxed(),
        Type::Flags(names) => {
            proptest::sample::subsequence((0..names.len() as u32).collect::<Vec<_>>(), 0..=names.len())
                .prop_map(Value::Flags)
                .boxed()
        }
    }
}

fn payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    match ty {
        Some(ty) => any_value(ty).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

fn each<'a>(types: impl Iterator<Item = &'a Type>) -> BoxedStrategy<Vec<Value>> {
    types.map(any_value).collect::<Vec<_>>().boxed()
}

fn typed_value(maps: bool) -> impl Strategy<Value = (Type, Value)> {
    any_type(maps).prop_flat_map(|ty| {
        let value = any_value(&ty);
        (Just(ty), value)
    })
}

/// Values are the same when their encodings are: a NaN differs from itself by `==`.
fn assert_same(a: &Value, b: &Value, ty: &Type) {
    let encode = |value| hex::encode(binary::encode(value, ty).expect("a value of its type"));
    assert_eq!(encode(a), encode(b), "{ty}: {a:?} and {b:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn binary_round_trips((ty, value) in typed_value(true)) {
        let bytes = binary::encode(&value, &ty).expect("a value of its type");
        let decoded = binary::decode(&bytes, &ty).expect("our own encoding");
        assert_same(&decoded, &value, &ty);
        prop_assert_eq!(decoded.check(&ty), Ok(()));
    }

    #[test]
    fn json_round_trips((ty, value) in typed_value(true)) {
        let json = json::to_json(&value, &ty).expect("a value of its type");
        // Through text, as on the wire.
        let text = json.to_string();
        let read = json::from_json(&serde_json::from_str(&text).expect("our own JSON"), &ty);
        assert_same(&read.unwrap_or_else(|error| panic!("{text}: {error}")), &value, &ty);
    }

    #[test]
    fn wave_round_trips((ty, value) in typed_value(false)) {
        let text = wave::to_wave(&value, &ty).expect("a value of its type");
        let read = wave::from_wave(&text, &ty).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_same(&read, &value, &ty);
    }

    #[test]
    fn types_round_trip_as_json(ty in any_type(true)) {
        let text = serde_json::to_string(&ty).expect("types are JSON");
        prop_assert_eq!(serde_json::from_str::<Type>(&text).expect("our own JSON"), ty);
    }

    #[test]
    fn every_type_has_a_schema(ty in any_type(true)) {
        prop_assert!(schema::of_type(&ty).is_object());
    }

    /// The decoder accepts one encoding alone: what it reads from any bytes is written as those bytes.
    #[test]
    fn decoding_is_strict((ty, bytes) in (any_type(true), vec(any::<u8>(), 0..24))) {
        if let Ok(value) = binary::decode(&bytes, &ty) {
            prop_assert_eq!(binary::encode(&value, &ty).expect("a value of its type"), bytes);
        }
    }

    /// As above with bytes that are nearly right, which random ones seldom are.
    #[test]
    fn decoding_is_strict_near_valid_bytes(
        (ty, value) in typed_value(true), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = binary::encode(&value, &ty).expect("a value of its type");
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = binary::decode(&bytes, &ty) {
            prop_assert_eq!(binary::encode(&value, &ty).expect("a value of its type"), bytes);
        }
    }

    #[test]
    fn arguments_round_trip(args in vec(typed_value(false), 0..4)) {
        let param = |(index, (ty, _)): (usize, &(Type, Value))| Param { name: format!("p{index}"), ty: ty.clone() };
        let ty = FunctionType { params: args.iter().enumerate().map(param).collect(), result: None };
        let args: Vec<_> = args.into_iter().map(|(_, value)| value).collect();
        let bytes = binary::encode_args(&ty, &args).expect("arguments of the type");
        let same = |read: Vec<Value>| assert_eq!(binary::encode_args(&ty, &read).as_ref(), Ok(&bytes));
        same(binary::decode_args(&ty, &bytes).expect("our own encoding"));
        same(json::args_from_json(&ty, &json::args_to_json(&ty, &args).expect("arguments")).expect("our own JSON"));
        same(wave::args_from_wave(&ty, &wave::args_to_wave(&ty, &args).expect("arguments")).expect("our own WAVE"));
    }
}
