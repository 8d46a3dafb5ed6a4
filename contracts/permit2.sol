// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Moves tokens by a signature, once per nonce, for payers who have approved this contract at the token.
///
/// Written from Permit2's published interface and EIP-712 types: the part called SignatureTransfer, for one token
/// at a time. x402 uses nothing else of Permit2: no batches, and no AllowanceTransfer; what its clients read is the
/// token's own `allowance(owner, Permit2)`. Names, types and errors are Permit2's.
///
/// Two differences, both refusals: accounts are keys, so the signature of a contract wallet (EIP-1271) is
/// `InvalidSigner`; and a signature with a high s is `InvalidSignature`.
///
/// What reverts says, in the order of the checks:
///   SignatureExpired(deadline)       it is after the deadline
///   InvalidAmount(maxAmount)         more is asked for than was signed
///   InvalidNonce()                   the nonce was used or invalidated
///   InvalidSignatureLength()         not 65 bytes, nor the 64 of EIP-2098
///   InvalidSignature()               it recovers nobody, or its s is high
///   InvalidSigner()                  it is another's signature, or of other terms
///   Error("TRANSFER_FROM_FAILED")    the token refused: balance or allowance
contract Permit2 {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// The used nonces of an owner: the word is the nonce without its lowest byte, the bit is that byte. Nonces
    /// need no order, so a payer may sign any number of payments at once.
    mapping(address owner => mapping(uint256 word => uint256 bits)) public nonceBitmap;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
    bytes32 private constant TOKEN_PERMISSIONS_TYPEHASH = keccak256("TokenPermissions(address token,uint256 amount)");
    bytes32 private constant PERMIT_TRANSFER_FROM_TYPEHASH = keccak256(
        "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
    );
    /// Whoever asks for a witness completes the type with it.
    string private constant WITNESS_TYPE_STUB =
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,";

    /// Half the order of secp256k1. A signature with a greater s has a twin with a smaller one (EIP-2).
    uint256 private constant S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    event UnorderedNonceInvalidation(address indexed owner, uint256 word, uint256 mask);

    error SignatureExpired(uint256 signatureDeadline);
    error InvalidAmount(uint256 maxAmount);
    error InvalidNonce();
    error InvalidSignatureLength();
    error InvalidSignature();
    error InvalidSigner();

    /// Computed at each call: the code may stand on any chain.
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Permit2"), block.chainid, address(this)));
    }

    function permitTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes calldata signature
    ) external {
        bytes32 message = keccak256(
            abi.encode(
                PERMIT_TRANSFER_FROM_TYPEHASH, _hash(permit.permitted), msg.sender, permit.nonce, permit.deadline
            )
        );
        _transfer(permit, transferDetails, owner, message, signature);
    }

    /// As permitTransferFrom, and the signature covers a hash of whatever else the caller has to keep to.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external {
        bytes32 typeHash = keccak256(abi.encodePacked(WITNESS_TYPE_STUB, witnessTypeString));
        bytes32 message = keccak256(
            abi.encode(typeHash, _hash(permit.permitted), msg.sender, permit.nonce, permit.deadline, witness)
        );
        _transfer(permit, transferDetails, owner, message, signature);
    }

    /// Lets an owner withdraw what they signed and nobody has used.
    function invalidateUnorderedNonces(uint256 word, uint256 mask) external {
        nonceBitmap[msg.sender][word] |= mask;
        emit UnorderedNonceInvalidation(msg.sender, word, mask);
    }

    function _transfer(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 message,
        bytes calldata signature
    ) private {
        uint256 amount = transferDetails.requestedAmount;
        if (block.timestamp > permit.deadline) revert SignatureExpired(permit.deadline);
        if (amount > permit.permitted.amount) revert InvalidAmount(permit.permitted.amount);
        _useNonce(owner, permit.nonce);
        _requireSigned(owner, message, signature);
        _transferFrom(permit.permitted.token, owner, transferDetails.to, amount);
    }

    function _useNonce(address owner, uint256 nonce) private {
        uint256 bit = 1 << uint8(nonce);
        uint256 used = nonceBitmap[owner][nonce >> 8];
        if (used & bit != 0) revert InvalidNonce();
        nonceBitmap[owner][nonce >> 8] = used | bit;
    }

    function _requireSigned(address signer, bytes32 message, bytes calldata signature) private view {
        bytes32 r;
        bytes32 s;
        uint8 v;
        if (signature.length == 65) {
            (r, s, v) = (bytes32(signature[0:32]), bytes32(signature[32:64]), uint8(signature[64]));
        } else if (signature.length == 64) {
            // EIP-2098: the highest bit of the second half is v.
            bytes32 vs = bytes32(signature[32:64]);
            (r, s, v) = (bytes32(signature[0:32]), vs << 1 >> 1, uint8(uint256(vs) >> 255) + 27);
        } else {
            revert InvalidSignatureLength();
        }
        if (uint256(s) > S_MAX) revert InvalidSignature();
        address recovered = ecrecover(keccak256(abi.encodePacked(hex"1901", DOMAIN_SEPARATOR(), message)), v, r, s);
        if (recovered == address(0)) revert InvalidSignature();
        if (recovered != signer) revert InvalidSigner();
    }

    function _hash(TokenPermissions calldata permitted) private pure returns (bytes32) {
        return keccak256(abi.encode(TOKEN_PERMISSIONS_TYPEHASH, permitted.token, permitted.amount));
    }

    /// Some tokens answer nothing instead of true; where there is no token at all, silence is no success.
    function _transferFrom(address token, address from, address to, uint256 amount) private {
        (bool done, bytes memory answer) =
            token.call(abi.encodeWithSignature("transferFrom(address,address,uint256)", from, to, amount));
        bool moved = done && (answer.length == 0 ? token.code.length > 0 : abi.decode(answer, (bool)));
        require(moved, "TRANSFER_FROM_FAILED");
    }
}
