//! Wrappers: components that pass every call on to the interface that they import under the name of the one they export.
//!
//! One memory serves both sides, so nothing is read or copied in between: arguments arrive in the form in which the import
//! takes them, and what it returns leaves as it came.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function as Body,
    FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{
    Function, FunctionKind, LiftLowerAbi, ManglingAndAbi, SizeAlign, WasmExport, WasmExportKind, WasmImport,
    WorldItem, WorldKey,
};

use crate::{Kind, Spec};

/// Says why a world has no wrapper.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwrappable(String);

/// The names by which the core module and the component's encoder understand one another.
const NAMES: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// Where results are returned to that are more than one number. Nothing stands at address 0, where a guest's bugs point.
const RETURN_AREA: i32 = 16;

const PAGE_BYTES_LOG2: i32 = 16;

impl Spec {
    /// Tells whether a wrapper can export what this world exports, and why not.
    pub fn check_wrappable(&self) -> Result<(), Unwrappable> {
        let refuse = |reason: String| Err(Unwrappable(reason));
        if self.kind() != Kind::Library {
            return refuse("a program or a server is started, and not imported".into());
        }
        for (key, item) in &self.resolve.worlds[self.world].exports {
            let name = self.resolve.name_world_key(key);
            match (key, item) {
                (_, WorldItem::Type { .. }) => {}
                (_, WorldItem::Function(_)) => {
                    return refuse(format!(
                        "the function `{name}` is in no interface, and only those can be imported"
                    ));
                }
                (WorldKey::Name(_), WorldItem::Interface { .. }) => {
                    return refuse(format!("the interface `{name}` has no name outside of its world"));
                }
                (WorldKey::Interface(_), WorldItem::Interface { id, .. }) => {
                    let functions = self.resolve.interfaces[*id].functions.values();
                    let mut others = functions.filter(|function| function.kind != FunctionKind::Freestanding);
                    if let Some(function) = others.next() {
                        return refuse(format!("`{}` of `{name}` is no plain function", function.name));
                    }
                }
            }
        }
        let bound =
            self.functions().iter().find_map(|function| Some((function, function.callable.as_ref().err()?)));
        match bound {
            Some((function, reason)) => {
                refuse(format!("`{}` cannot be called by value: {reason}", function.name))
            }
            None => Ok(()),
        }
    }

    /// Builds a component of this world, which imports each interface that it exports, and passes each call on to it.
    pub fn wrapper(&self) -> Result<Vec<u8>, Unwrappable> {
        self.check_wrappable()?;
        let world = &self.resolve.worlds[self.world];
        let mut passed = Vec::new();
        for (key, item) in &world.exports {
            let WorldItem::Interface { id, .. } = item else { continue };
            if !world.imports.contains_key(key) {
                return Err(Unwrappable(format!("`{}` is not imported", self.resolve.name_world_key(key))));
            }
            passed.extend(self.resolve.interfaces[*id].functions.values().map(|function| (key, function)));
        }
        let mut module = self.module(&passed);
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)
            .and_then(|()| ComponentEncoder::default().validate(true).module(&module)?.encode())
            .map_err(|error| Unwrappable(format!("it cannot be encoded: {error:#}")))
    }

    /// Writes the core module. It imports the functions in their order, so that number n of them is called by the n-th of
    /// its own; the allocator comes last.
    fn module(&self, passed: &[(&WorldKey, &Function)]) -> Vec<u8> {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
        let count = passed.len() as u32;
        let mut ty = |signature: &WasmSignature| {
            let index = types.len();
            types.ty().function(values(&signature.params), values(&signature.results));
            index
        };
        for (index, (key, function)) in (0..count).zip(passed) {
            let interface = Some(*key);
            let outer = self.resolve.wasm_signature(AbiVariant::GuestExport, function);
            let inner = self.resolve.wasm_signature(AbiVariant::GuestImport, function);
            let (module, name) =
                self.resolve.wasm_import_name(NAMES, WasmImport::Func { interface, func: function });
            imports.import(&module, &name, EntityType::Function(ty(&inner)));
            functions.function(ty(&outer));
            let export = WasmExport::Func { interface, func: function, kind: WasmExportKind::Normal };
            let name = self.resolve.wasm_export_name(NAMES, export);
            exports.export(&name, ExportKind::Func, count + index);
            code.function(&pass_on(index, &outer, &inner));
        }
        let allocator = types.len();
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        functions.function(allocator);
        code.function(&allocate());
        exports.export("cabi_realloc", ExportKind::Func, 2 * count);
        exports.export("memory", ExportKind::Memory, 0);

        let free = RETURN_AREA + self.return_area_bytes(passed);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1 + (free as u64 >> PAGE_BYTES_LOG2),
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        let next = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(next, &ConstExpr::i32_const(free));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&memories);
        module.section(&globals).section(&exports).section(&code);
        module.finish()
    }

    /// Returns how many bytes the largest result has that is returned through memory.
    fn return_area_bytes(&self, passed: &[(&WorldKey, &Function)]) -> i32 {
        let mut sizes = SizeAlign::default();
        sizes.fill(&self.resolve);
        let results = passed.iter().filter_map(|(_, function)| function.result.as_ref());
        let bytes = results.map(|ty| sizes.size(ty).size_wasm32()).max().unwrap_or(0);
        i32::try_from(bytes).unwrap_or(i32::MAX - RETURN_AREA)
    }
}

fn values(types: &[WasmType]) -> Vec<ValType> {
    let value = |ty: &WasmType| match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    };
    types.iter().map(value).collect()
}

/// Calls the import with the arguments as they are. Where it wants to be told where to return to, it is told, and so is
/// whoever called.
fn pass_on(import: u32, outer: &WasmSignature, inner: &WasmSignature) -> Body {
    let mut body = Body::new([]);
    let mut code = body.instructions();
    for index in 0..outer.params.len() as u32 {
        code.local_get(index);
    }
    if inner.retptr {
        code.i32_const(RETURN_AREA).call(import).i32_const(RETURN_AREA);
    } else {
        code.call(import);
    }
    code.end();
    body
}

/// Gives out memory and takes none back: an instance lives for one call.
fn allocate() -> Body {
    let [old, old_size, align, size, start, end] = [0, 1, 2, 3, 4, 5];
    let next = 0;
    let mut body = Body::new([(2, ValType::I32)]);
    let mut code = body.instructions();
    // start = (next + align - 1) & -align
    code.global_get(next).local_get(align).i32_add().i32_const(1).i32_sub();
    code.i32_const(0).local_get(align).i32_sub().i32_and().local_tee(start);
    code.local_get(size).i32_add().local_tee(end).local_get(start).i32_lt_u();
    code.if_(BlockType::Empty).unreachable().end();
    // Grow by the pages that are missing up to the last byte.
    code.local_get(end).i32_const(1).i32_sub().i32_const(PAGE_BYTES_LOG2).i32_shr_u();
    code.memory_size(0).i32_ge_u().if_(BlockType::Empty);
    code.local_get(end).i32_const(1).i32_sub().i32_const(PAGE_BYTES_LOG2).i32_shr_u();
    code.i32_const(1).i32_add().memory_size(0).i32_sub().memory_grow(0);
    code.i32_const(-1).i32_eq().if_(BlockType::Empty).unreachable().end().end();
    code.local_get(end).global_set(next);
    code.local_get(start).local_get(old);
    code.local_get(old_size).local_get(size).local_get(old_size).local_get(size).i32_lt_u().select();
    code.memory_copy(0, 0).local_get(start).end();
    body
}
