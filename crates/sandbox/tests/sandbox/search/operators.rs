//! The value operators of the profile with the types of their operands, so that programs can be drawn from them.

use glassbox_core::profile::Profile;

/// What an operator takes or gives.
///
/// Most are types. The others are values that keep the operator from trapping, which would end the search at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    I32,
    I64,
    F32,
    F64,
    V128,
    Funcref,
    /// An `i32` in the lower half of the memory.
    Address,
    /// An `i32` of at most half of the memory.
    Size,
    /// An `i32` in the lower half of the table.
    Index,
    /// An `i32` of at most half of the table.
    Count,
    /// An `i32` of 0, where a segment begins.
    Start,
    /// An `i32` of at most the length of a segment.
    Few,
    /// An `i32` that some function of the table of functions stands at.
    Callee,
    /// Integers that can be divided by: neither 0 nor -1.
    Divisor32,
    Divisor64,
    /// Floats that are a small number, which every integer type can hold.
    Small32,
    Small64,
}

impl Slot {
    fn of(letter: u8) -> Self {
        match letter {
            b'i' => Self::I32,
            b'l' => Self::I64,
            b'f' => Self::F32,
            b'd' => Self::F64,
            b'v' => Self::V128,
            b'r' => Self::Funcref,
            b'A' => Self::Address,
            b'S' => Self::Size,
            b'T' => Self::Index,
            b'C' => Self::Count,
            b'Z' => Self::Start,
            b'E' => Self::Few,
            b'P' => Self::Callee,
            b'N' => Self::Divisor32,
            b'M' => Self::Divisor64,
            b'F' => Self::Small32,
            b'D' => Self::Small64,
            other => unreachable!("the table has no letter {other}"),
        }
    }
}

/// What stands behind the name of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Immediate {
    None,
    /// An offset.
    Memory,
    /// An offset, and a lane below this.
    MemoryLane(usize),
    /// A lane below this.
    Lane(usize),
    /// Sixteen lanes below 32.
    Lanes,
    /// Names of the module around the program.
    Named(&'static str),
}

/// An operator that takes and gives values.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    pub(crate) immediate: Immediate,
    pub(crate) params: Vec<Slot>,
    pub(crate) result: Option<Slot>,
}

impl Operator {
    /// Returns what its name begins with.
    pub(crate) fn family(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// Operators by what they take and give, one letter for each.
const SIGNATURES: &[(&str, &str)] = &[
    ("i>i", "i32.clz i32.ctz i32.popcnt i32.eqz i32.extend8_s i32.extend16_s"),
    ("ii>i", "i32.add i32.sub i32.mul i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"),
    ("ii>i", "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"),
    ("iN>i", "i32.div_s i32.div_u i32.rem_s i32.rem_u"),
    ("l>i", "i64.eqz i32.wrap_i64"),
    ("l>l", "i64.clz i64.ctz i64.popcnt i64.extend8_s i64.extend16_s i64.extend32_s"),
    ("i>l", "i64.extend_i32_s i64.extend_i32_u"),
    ("ll>l", "i64.add i64.sub i64.mul i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"),
    ("ll>i", "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"),
    ("lM>l", "i64.div_s i64.div_u i64.rem_s i64.rem_u"),
    ("f>f", "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt"),
    ("ff>f", "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign"),
    ("ff>i", "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge"),
    ("d>d", "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt"),
    ("dd>d", "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"),
    ("dd>i", "f64.eq f64.ne f64.lt f64.gt f64.le f64.ge"),
    ("F>i", "i32.trunc_f32_s i32.trunc_f32_u"),
    ("D>i", "i32.trunc_f64_s i32.trunc_f64_u"),
    ("F>l", "i64.trunc_f32_s i64.trunc_f32_u"),
    ("D>l", "i64.trunc_f64_s i64.trunc_f64_u"),
    ("f>i", "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.reinterpret_f32"),
    ("d>i", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
    ("f>l", "i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
    ("d>l", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u i64.reinterpret_f64"),
    ("i>f", "f32.convert_i32_s f32.convert_i32_u f32.reinterpret_i32"),
    ("l>f", "f32.convert_i64_s f32.convert_i64_u"),
    ("i>d", "f64.convert_i32_s f64.convert_i32_u"),
    ("l>d", "f64.convert_i64_s f64.convert_i64_u f64.reinterpret_i64"),
    ("d>f", "f32.demote_f64"),
    ("f>d", "f64.promote_f32"),
    ("A>i", "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u"),
    ("A>l", "i64.load i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"),
    ("A>f", "f32.load"),
    ("A>d", "f64.load"),
    ("Ai>", "i32.store i32.store8 i32.store16"),
    ("Al>", "i64.store i64.store8 i64.store16 i64.store32"),
    ("Af>", "f32.store"),
    ("Ad>", "f64.store"),
    ("A>v", "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s"),
    ("A>v", "v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat"),
    ("A>v", "v128.load32_zero v128.load64_zero"),
    ("Av>", "v128.store v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane"),
    ("Av>v", "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane"),
    ("v>v", "v128.not i8x16.abs i8x16.neg i8x16.popcnt i16x8.abs i16x8.neg i32x4.abs i32x4.neg i64x2.abs"),
    ("v>v", "i64x2.neg f32x4.abs f32x4.neg f32x4.sqrt f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest"),
    ("v>v", "f64x2.abs f64x2.neg f64x2.sqrt f64x2.ceil f64x2.floor f64x2.trunc f64x2.nearest"),
    ("v>v", "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s"),
    ("v>v", "i32x4.extadd_pairwise_i16x8_u i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s"),
    ("v>v", "i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u i32x4.extend_low_i16x8_s"),
    ("v>v", "i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u"),
    ("v>v", "i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u"),
    ("v>v", "i64x2.extend_high_i32x4_u i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u"),
    ("v>v", "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f32x4.convert_i32x4_s"),
    ("v>v", "f32x4.convert_i32x4_u f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"),
    ("v>v", "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"),
    ("v>i", "v128.any_true i8x16.all_true i16x8.all_true i32x4.all_true i64x2.all_true i8x16.bitmask"),
    ("v>i", "i16x8.bitmask i32x4.bitmask i64x2.bitmask i8x16.extract_lane_s i8x16.extract_lane_u"),
    ("v>i", "i16x8.extract_lane_s i16x8.extract_lane_u i32x4.extract_lane"),
    ("v>l", "i64x2.extract_lane"),
    ("v>f", "f32x4.extract_lane"),
    ("v>d", "f64x2.extract_lane"),
    ("i>v", "i8x16.splat i16x8.splat i32x4.splat"),
    ("l>v", "i64x2.splat"),
    ("f>v", "f32x4.splat"),
    ("d>v", "f64x2.splat"),
    ("vi>v", "i8x16.replace_lane i16x8.replace_lane i32x4.replace_lane i8x16.shl i8x16.shr_s i8x16.shr_u"),
    ("vi>v", "i16x8.shl i16x8.shr_s i16x8.shr_u i32x4.shl i32x4.shr_s i32x4.shr_u i64x2.shl i64x2.shr_s"),
    ("vi>v", "i64x2.shr_u"),
    ("vl>v", "i64x2.replace_lane"),
    ("vf>v", "f32x4.replace_lane"),
    ("vd>v", "f64x2.replace_lane"),
    ("vv>v", "i8x16.shuffle i8x16.swizzle v128.and v128.andnot v128.or v128.xor i8x16.narrow_i16x8_s"),
    ("vv>v", "i8x16.narrow_i16x8_u i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u i16x8.q15mulr_sat_s"),
    (
        "vv>v",
        "i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s",
    ),
    (
        "vv>v",
        "i8x16.ge_u i16x8.eq i16x8.ne i16x8.lt_s i16x8.lt_u i16x8.gt_s i16x8.gt_u i16x8.le_s i16x8.le_u",
    ),
    (
        "vv>v",
        "i16x8.ge_s i16x8.ge_u i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s i32x4.gt_u i32x4.le_s",
    ),
    (
        "vv>v",
        "i32x4.le_u i32x4.ge_s i32x4.ge_u i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s",
    ),
    ("vv>v", "f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge f64x2.eq f64x2.ne f64x2.lt f64x2.gt"),
    ("vv>v", "f64x2.le f64x2.ge i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s"),
    ("vv>v", "i8x16.sub_sat_u i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u i8x16.avgr_u i16x8.add"),
    (
        "vv>v",
        "i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u i16x8.mul i16x8.min_s",
    ),
    ("vv>v", "i16x8.min_u i16x8.max_s i16x8.max_u i16x8.avgr_u i16x8.extmul_low_i8x16_s"),
    (
        "vv>v",
        "i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u i32x4.add i32x4.sub",
    ),
    ("vv>v", "i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s"),
    ("vv>v", "i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u"),
    ("vv>v", "i32x4.extmul_high_i16x8_u i64x2.add i64x2.sub i64x2.mul i64x2.extmul_low_i32x4_s"),
    (
        "vv>v",
        "i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u f32x4.add f32x4.sub",
    ),
    ("vv>v", "f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax f64x2.add f64x2.sub f64x2.mul"),
    ("vv>v", "f64x2.div f64x2.min f64x2.max f64x2.pmin f64x2.pmax"),
    ("vvv>v", "v128.bitselect"),
    ("iii>i", "select"),
    ("lli>l", "select"),
    ("ddi>d", "select"),
    ("vvi>v", "select"),
    (">i", "memory.size table.size"),
    ("S>i", "memory.grow"),
    ("AAS>", "memory.copy"),
    ("AiS>", "memory.fill"),
    ("AZE>", "memory.init"),
    (">", "data.drop elem.drop"),
    ("TTC>", "table.copy"),
    ("TrC>", "table.fill"),
    ("TZE>", "table.init"),
    ("T>r", "table.get"),
    ("Tr>", "table.set"),
    ("rC>i", "table.grow"),
    ("r>i", "ref.is_null"),
    (">r", "ref.func ref.null"),
    ("rri>r", "typed.select"),
    ("i>i", "call return_call"),
    ("iP>i", "call_indirect return_call_indirect"),
];

/// Returns every operator of the table.
pub(crate) fn operators() -> Vec<Operator> {
    let of = |(signature, names): &(&'static str, &'static str)| {
        let (params, result) = signature.split_once('>').expect("a signature has an arrow");
        let slots = |letters: &str| letters.bytes().map(Slot::of).collect::<Vec<_>>();
        let (params, result) = (slots(params), slots(result).first().copied());
        let operator = |name| Operator { name, immediate: immediate(name), params: params.clone(), result };
        names.split(' ').map(operator).collect::<Vec<_>>()
    };
    SIGNATURES.iter().flat_map(of).collect()
}

fn immediate(name: &'static str) -> Immediate {
    let named = match name {
        "memory.init" => "memory.init $data",
        "data.drop" => "data.drop $dropped",
        "elem.drop" => "elem.drop $dropped",
        "table.size" => "table.size $t",
        "table.copy" => "table.copy $t $t",
        "table.fill" => "table.fill $t",
        "table.init" => "table.init $t $elements",
        "table.get" => "table.get $t",
        "table.set" => "table.set $t",
        "table.grow" => "table.grow $grown",
        "ref.func" => "ref.func $same",
        "ref.null" => "ref.null func",
        "typed.select" => "select (result funcref)",
        "call" => "call $same",
        "call_indirect" => "call_indirect $callees (type $unary)",
        // Where a program cannot end in a tail call, it calls a function that does.
        "return_call" => "call $tail",
        "return_call_indirect" => "call $tail_indirect",
        _ => "",
    };
    let lanes = |name: &str| match name.rsplit_once("load").or(name.rsplit_once("store")) {
        Some((_, rest)) => match rest.trim_end_matches("_lane") {
            "8" => 16,
            "16" => 8,
            "32" => 4,
            _ => 2,
        },
        None => match name.split('.').next() {
            Some("i8x16") => 16,
            Some("i16x8") => 8,
            Some("i32x4" | "f32x4") => 4,
            _ => 2,
        },
    };
    if !named.is_empty() {
        Immediate::Named(named)
    } else if name == "i8x16.shuffle" {
        Immediate::Lanes
    } else if name.contains(".load") || name.contains(".store") {
        if name.ends_with("_lane") { Immediate::MemoryLane(lanes(name)) } else { Immediate::Memory }
    } else if name.contains("_lane") {
        Immediate::Lane(lanes(name))
    } else {
        Immediate::None
    }
}

/// What is in every program without being drawn from the table.
const AROUND: &[&str] = &[
    "Unreachable",
    "Nop",
    "Block",
    "Loop",
    "If",
    "Else",
    "End",
    "Br",
    "BrIf",
    "BrTable",
    "Return",
    "Drop",
    "LocalGet",
    "LocalSet",
    "LocalTee",
    "GlobalGet",
    "GlobalSet",
    "I32Const",
    "I64Const",
    "F32Const",
    "F64Const",
    "V128Const",
];

/// An operator that the search does not know could run free unseen.
#[test]
fn every_operator_of_the_profile_is_searched() {
    let key = |name: &str| name.replace(['.', '_'], "").to_lowercase();
    let mut known: Vec<String> = operators().iter().map(|operator| key(operator.name)).collect();
    known.extend(AROUND.iter().map(|name| key(name)));
    let off = |cost: &u64| *cost == 255;
    let costs = serde_json::to_value(&Profile::current().operators).expect("the profile is JSON");
    for (name, cost) in costs.as_object().expect("a table") {
        let cost = cost.as_u64().expect("a number");
        let is_known = known.contains(&key(name));
        assert_eq!(is_known, !off(&cost), "{name}");
    }
}
