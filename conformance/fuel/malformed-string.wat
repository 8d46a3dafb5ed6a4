;; A string that is not UTF-8, or does not lie in memory, is a trap.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "k\c5\af\c5\88")
    (data (i32.const 80) "\ff")
    (func (export "run") (param $a i32) (param $b i32) (result i32)
      (i32.store (i32.const 0) (local.get $a))
      (i32.store (i32.const 4) (local.get $b))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u32) (param "b" u32) (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
