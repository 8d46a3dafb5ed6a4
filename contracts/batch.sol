// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 value) external returns (bool);
}

interface IDepositCollector {
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external;
}

/// Keeps the channels of x402's scheme `batch-settlement`: a payer deposits once and signs a cumulative voucher per
/// call; the receiver claims the last voucher of many channels at once and moves what was claimed.
///
/// Written from the scheme's specification and the interface that the SDKs publish; errors and events have the names
/// of the published contract. In every channel totalClaimed only grows and stays within the balance, which is all that
/// was deposited less what went back to the payer.
///
/// Differences: accounts are keys, so the signature of a contract wallet (EIP-1271) is `InvalidSignature`; deposits
/// come through the two collectors below and no other.
///
/// What reverts says:
///   deposit    InvalidChannel() ZeroDeposit() WithdrawDelayOutOfRange() InvalidCollector() DepositOverflow()
///              DepositCollectionFailed(), and what collector, Permit2 and token say, unchanged
///   claims     EmptyBatch() NotAuthorizedToClaim() NotReceiverAuthorizer() InvalidSignature()
///              ClaimExceedsCeiling() ClaimExceedsBalance()
///   refunds    NotAuthorizedToRefund() InvalidRefundNonce() InvalidSignature() ZeroRefund()
///   withdrawal NotAuthorizedToInitiateWithdraw() WithdrawalAlreadyPending() NothingToWithdraw()
///              WithdrawAmountExceedsAvailable() NotAuthorizedToFinalizeWithdraw() WithdrawalNotPending()
///              WithdrawDelayNotElapsed()
///   transfers  TransferFailed(), or what the token says
contract X402BatchSettlement {
    /// What a channel is; its hash is the channel's id, so nothing of it can change.
    struct ChannelConfig {
        address payer;
        /// Who signs vouchers; zero means the payer.
        address payerAuthorizer;
        address receiver;
        /// Who signs claims and refunds for the receiver.
        address receiverAuthorizer;
        address token;
        /// Seconds which the receiver has for claiming before the payer takes money back alone.
        uint40 withdrawDelay;
        bytes32 salt;
    }

    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    /// A voucher, and how much of it is claimed: as a total of the channel, not what is added.
    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    struct Channel {
        uint128 balance;
        uint128 totalClaimed;
    }

    struct Withdrawal {
        uint128 amount;
        uint40 initiatedAt;
    }

    struct Receiver {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    mapping(bytes32 channelId => Channel) public channels;
    mapping(bytes32 channelId => Withdrawal) public pendingWithdrawals;
    mapping(address receiver => mapping(address token => Receiver)) public receivers;
    /// The nonce of the next refund; every refund of a channel uses one up.
    mapping(bytes32 channelId => uint256) public refundNonce;

    address public constant ERC3009_DEPOSIT_COLLECTOR = 0x4020806089470a89826cB9fB1f4059150b550004;
    address public constant PERMIT2_DEPOSIT_COLLECTOR = 0x4020425FAf3B746C082C2f942b4E5159887B0005;
    uint40 public constant MIN_WITHDRAW_DELAY = 15 minutes;
    uint40 public constant MAX_WITHDRAW_DELAY = 30 days;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 public constant REFUND_TYPEHASH = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
    bytes32 public constant CLAIM_ENTRY_TYPEHASH =
        keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
    bytes32 public constant CLAIM_BATCH_TYPEHASH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );

    /// Half the order of secp256k1. A signature with a greater s has a twin with a smaller one (EIP-2).
    uint256 private constant S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    event ChannelCreated(bytes32 indexed channelId, ChannelConfig config);
    event ChannelClosed(bytes32 indexed channelId, ChannelConfig config);
    event Deposited(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 newBalance);
    event Claimed(bytes32 indexed channelId, address indexed sender, uint128 claimAmount, uint128 newTotalClaimed);
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);
    event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);
    event WithdrawFinalized(bytes32 indexed channelId, address indexed sender, uint128 amount);

    error InvalidChannel();
    error ZeroDeposit();
    error WithdrawDelayOutOfRange();
    error InvalidCollector();
    error DepositOverflow();
    error DepositCollectionFailed();
    error EmptyBatch();
    error NotAuthorizedToClaim();
    error NotReceiverAuthorizer();
    error InvalidSignature();
    error ClaimExceedsCeiling();
    error ClaimExceedsBalance();
    error NotAuthorizedToRefund();
    error InvalidRefundNonce();
    error ZeroRefund();
    error NotAuthorizedToInitiateWithdraw();
    error WithdrawalAlreadyPending();
    error NothingToWithdraw();
    error WithdrawAmountExceedsAvailable();
    error NotAuthorizedToFinalizeWithdraw();
    error WithdrawalNotPending();
    error WithdrawDelayNotElapsed();
    error TransferFailed();

    /// Calls several functions of this contract in one transaction, for the same caller; all of them or none.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i; i < data.length; i++) {
            (bool done, bytes memory answer) = address(this).delegatecall(data[i]);
            if (!done) {
                assembly {
                    revert(add(answer, 32), mload(answer))
                }
            }
            results[i] = answer;
        }
    }

    // --- Deposits ---

    /// Opens a channel or adds to one. Anybody may submit it: the payer's authorization names the channel.
    function deposit(ChannelConfig calldata config, uint128 amount, address collector, bytes calldata collectorData)
        external
    {
        if (
            config.payer == address(0) || config.receiver == address(0) || config.receiverAuthorizer == address(0)
                || config.token == address(0)
        ) revert InvalidChannel();
        if (amount == 0) revert ZeroDeposit();
        if (config.withdrawDelay < MIN_WITHDRAW_DELAY || config.withdrawDelay > MAX_WITHDRAW_DELAY) {
            revert WithdrawDelayOutOfRange();
        }
        if (collector != ERC3009_DEPOSIT_COLLECTOR && collector != PERMIT2_DEPOSIT_COLLECTOR) revert InvalidCollector();

        bytes32 channelId = getChannelId(config);
        Channel storage channel = channels[channelId];
        if (amount > type(uint128).max - channel.balance) revert DepositOverflow();
        if (channel.balance == 0 && channel.totalClaimed == 0) emit ChannelCreated(channelId, config);
        channel.balance += amount;

        // Exactly the amount has to arrive: a token that keeps a fee would have others' deposits pay it, and a
        // second deposit made from within this one would be counted twice.
        uint256 held = IERC20(config.token).balanceOf(address(this));
        IDepositCollector(collector).collect(config.payer, config.token, amount, channelId, collectorData);
        if (IERC20(config.token).balanceOf(address(this)) != held + amount) revert DepositCollectionFailed();
        emit Deposited(channelId, msg.sender, amount, channel.balance);
    }

    // --- Claims ---

    /// Books vouchers to their receivers. The caller is receiver or receiverAuthorizer of every one.
    function claim(VoucherClaim[] calldata voucherClaims) external {
        if (voucherClaims.length == 0) revert EmptyBatch();
        for (uint256 i; i < voucherClaims.length; i++) {
            ChannelConfig calldata config = voucherClaims[i].voucher.channel;
            if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) revert NotAuthorizedToClaim();
            _claim(voucherClaims[i]);
        }
    }

    /// As claim, submitted by anybody: the receiverAuthorizer, the same in every channel, has signed the batch.
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature) external {
        if (voucherClaims.length == 0) revert EmptyBatch();
        address authorizer = voucherClaims[0].voucher.channel.receiverAuthorizer;
        _requireSigned(authorizer, getClaimBatchDigest(voucherClaims), authorizerSignature);
        for (uint256 i; i < voucherClaims.length; i++) {
            if (voucherClaims[i].voucher.channel.receiverAuthorizer != authorizer) revert NotReceiverAuthorizer();
            _claim(voucherClaims[i]);
        }
    }

    /// Moves all that was claimed and not yet moved to its receiver. Anybody may ask; nothing to move is no error.
    function settle(address receiver, address token) external {
        Receiver storage account = receivers[receiver][token];
        uint128 amount = account.totalClaimed - account.totalSettled;
        if (amount == 0) return;
        account.totalSettled = account.totalClaimed;
        _pay(token, receiver, amount);
        emit Settled(receiver, token, msg.sender, amount);
    }

    // --- Refunds ---

    /// Gives unclaimed money back to the payer, as much as there is of `amount`. The caller is receiver or
    /// receiverAuthorizer.
    function refund(ChannelConfig calldata config, uint128 amount) external {
        if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) revert NotAuthorizedToRefund();
        _refund(config, getChannelId(config), amount);
    }

    /// As refund, submitted by anybody: the receiverAuthorizer has signed it.
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external {
        bytes32 channelId = getChannelId(config);
        if (nonce != refundNonce[channelId]) revert InvalidRefundNonce();
        _requireSigned(
            config.receiverAuthorizer, getRefundDigest(channelId, nonce, amount), receiverAuthorizerSignature
        );
        _refund(config, channelId, amount);
    }

    // --- Withdrawals, by the payer alone ---

    /// Announces a withdrawal. Until the delay is over the receiver can still claim.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external {
        if (!_isPayer(config)) revert NotAuthorizedToInitiateWithdraw();
        bytes32 channelId = getChannelId(config);
        if (pendingWithdrawals[channelId].initiatedAt != 0) revert WithdrawalAlreadyPending();
        if (amount == 0) revert NothingToWithdraw();
        if (amount > _available(channelId)) revert WithdrawAmountExceedsAvailable();
        pendingWithdrawals[channelId] = Withdrawal(amount, uint40(block.timestamp));
        emit WithdrawInitiated(channelId, amount, uint40(block.timestamp) + config.withdrawDelay);
    }

    /// Pays an announced withdrawal, as much of it as was not claimed or refunded meanwhile.
    function finalizeWithdraw(ChannelConfig calldata config) external {
        if (!_isPayer(config)) revert NotAuthorizedToFinalizeWithdraw();
        bytes32 channelId = getChannelId(config);
        Withdrawal memory pending = pendingWithdrawals[channelId];
        if (pending.initiatedAt == 0) revert WithdrawalNotPending();
        if (block.timestamp < uint256(pending.initiatedAt) + config.withdrawDelay) revert WithdrawDelayNotElapsed();
        delete pendingWithdrawals[channelId];
        // Even nothing ends the withdrawal, or the payer could not announce another after the next deposit.
        uint128 amount = _giveBack(config, channelId, pending.amount);
        emit WithdrawFinalized(channelId, msg.sender, amount);
    }

    // --- What is signed (EIP-712) ---

    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return _digest(keccak256(abi.encode(CHANNEL_CONFIG_TYPEHASH, config)));
    }

    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) public view returns (bytes32) {
        return _digest(keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount)));
    }

    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) public view returns (bytes32) {
        return _digest(keccak256(abi.encode(REFUND_TYPEHASH, channelId, nonce, amount)));
    }

    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) public view returns (bytes32) {
        bytes32[] memory entries = new bytes32[](voucherClaims.length);
        for (uint256 i; i < voucherClaims.length; i++) {
            Voucher calldata voucher = voucherClaims[i].voucher;
            entries[i] = keccak256(
                abi.encode(
                    CLAIM_ENTRY_TYPEHASH,
                    getChannelId(voucher.channel),
                    voucher.maxClaimableAmount,
                    voucherClaims[i].totalClaimed
                )
            );
        }
        return _digest(keccak256(abi.encode(CLAIM_BATCH_TYPEHASH, keccak256(abi.encodePacked(entries)))));
    }

    // --- What the functions above share ---

    function _claim(VoucherClaim calldata row) private {
        ChannelConfig calldata config = row.voucher.channel;
        bytes32 channelId = getChannelId(config);
        address signer = config.payerAuthorizer == address(0) ? config.payer : config.payerAuthorizer;
        _requireSigned(signer, getVoucherDigest(channelId, row.voucher.maxClaimableAmount), row.signature);
        if (row.totalClaimed > row.voucher.maxClaimableAmount) revert ClaimExceedsCeiling();
        Channel storage channel = channels[channelId];
        if (row.totalClaimed > channel.balance) revert ClaimExceedsBalance();
        // An older voucher changes nothing, so that one row which somebody else has claimed spoils no batch.
        if (row.totalClaimed <= channel.totalClaimed) return;
        uint128 added = row.totalClaimed - channel.totalClaimed;
        channel.totalClaimed = row.totalClaimed;
        receivers[config.receiver][config.token].totalClaimed += added;
        emit Claimed(channelId, msg.sender, added, row.totalClaimed);
    }

    function _refund(ChannelConfig calldata config, bytes32 channelId, uint128 amount) private {
        if (amount == 0) revert ZeroRefund();
        // Used up even when nothing is left to give back: what was signed for one nonce never works again.
        refundNonce[channelId]++;
        uint128 refunded = _giveBack(config, channelId, amount);
        if (refunded == 0) return;
        Withdrawal storage pending = pendingWithdrawals[channelId];
        if (refunded >= pending.amount) delete pendingWithdrawals[channelId];
        else pending.amount -= refunded;
        emit Refunded(channelId, msg.sender, refunded);
    }

    /// Moves unclaimed money to the payer: `amount`, or what there is.
    function _giveBack(ChannelConfig calldata config, bytes32 channelId, uint128 amount) private returns (uint128) {
        uint128 available = _available(channelId);
        if (amount > available) amount = available;
        if (amount == 0) return 0;
        Channel storage channel = channels[channelId];
        channel.balance -= amount;
        if (channel.balance == 0 && channel.totalClaimed == 0) emit ChannelClosed(channelId, config);
        _pay(config.token, config.payer, amount);
        return amount;
    }

    function _available(bytes32 channelId) private view returns (uint128) {
        return channels[channelId].balance - channels[channelId].totalClaimed;
    }

    function _isPayer(ChannelConfig calldata config) private view returns (bool) {
        return msg.sender == config.payer || msg.sender == config.payerAuthorizer;
    }

    function _pay(address token, address to, uint128 amount) private {
        if (!IERC20(token).transfer(to, amount)) revert TransferFailed();
    }

    /// Computed at each call: the code may stand on any chain.
    function _digest(bytes32 message) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("x402 Batch Settlement"), keccak256("1"), block.chainid, address(this)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private pure {
        if (signature.length != 65) revert InvalidSignature();
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(signature[0:32]), bytes32(signature[32:64]), uint8(signature[64]));
        if (uint256(s) > S_MAX) revert InvalidSignature();
        address recovered = ecrecover(digest, v, r, s);
        // ecrecover answers zero for a signature of nobody.
        if (recovered == address(0) || recovered != signer) revert InvalidSignature();
    }
}
