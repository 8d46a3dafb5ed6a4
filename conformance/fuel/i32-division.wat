;; Division and remainder of i32. By zero they trap, and so does the quotient that does not fit.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i32) (param $b i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4))
      (i32.store offset=16 (i32.const 0) (i32.div_s (local.get $a) (local.get $b)))
      (i32.store offset=20 (i32.const 0) (i32.div_u (local.get $a) (local.get $b)))
      (i32.store offset=24 (i32.const 0) (i32.rem_s (local.get $a) (local.get $b)))
      (i32.store offset=28 (i32.const 0) (i32.rem_u (local.get $a) (local.get $b)))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u32) (param "b" u32) (result (list u32))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
