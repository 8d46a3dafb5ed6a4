;; Every f64 comparison.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i64) (param $b i64) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 6))
      (i32.store offset=16 (i32.const 0) (f64.eq (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.store offset=20 (i32.const 0) (f64.ne (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.store offset=24 (i32.const 0) (f64.lt (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.store offset=28 (i32.const 0) (f64.gt (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.store offset=32 (i32.const 0) (f64.le (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.store offset=36 (i32.const 0) (f64.ge (f64.reinterpret_i64 (local.get $a)) (f64.reinterpret_i64 (local.get $b))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u64) (param "b" u64) (result (list u32))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
