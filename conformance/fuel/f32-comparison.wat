;; Every f32 comparison.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i32) (param $b i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 6))
      (i32.store offset=16 (i32.const 0) (f32.eq (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.store offset=20 (i32.const 0) (f32.ne (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.store offset=24 (i32.const 0) (f32.lt (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.store offset=28 (i32.const 0) (f32.gt (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.store offset=32 (i32.const 0) (f32.le (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.store offset=36 (i32.const 0) (f32.ge (f32.reinterpret_i32 (local.get $a)) (f32.reinterpret_i32 (local.get $b))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u32) (param "b" u32) (result (list u32))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
